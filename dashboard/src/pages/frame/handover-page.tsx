import { Button, Loader, Text, Title } from '@mantine/core';
import { useCallback, useEffect, useRef, useState } from 'react';
import { Navigate, useSearchParams } from 'react-router';
import { useMutation } from 'urql';
import { Brand } from '../../app/brand';
import { RequireSession } from '../../app/session';
import { ErrorState } from '../../components/states';
import { graphql } from '../../gql';
import { codeMessage } from '../../lib/embedding';
import classes from './frame.module.css';

const IssueFrameCodeDocument = graphql(`
  mutation IssueFrameCode($link: String!, $challenge: String!) {
    issueFrameCode(link: $link, challenge: $challenge) { code error { message } }
  }
`);

/** The window that a frame opens to sign in: hands the sign-in back and closes. */
export function HandoverPage() {
  const [parameters] = useSearchParams();
  const [link, challenge] = [parameters.get('link') ?? '', parameters.get('challenge') ?? ''];
  return (
    <RequireSession otherwise={<Onwards parameters={parameters} />}>
      <Handover link={link} challenge={challenge} />
    </RequireSession>
  );
}

/** To the provider that was chosen in the frame, or to the page with all ways to sign in. */
function Onwards({ parameters }: { parameters: URLSearchParams }) {
  const [tenant, provider] = [parameters.get('tenant') ?? '', parameters.get('provider')];
  const back = new URLSearchParams({ link: parameters.get('link') ?? '', challenge: parameters.get('challenge') ?? '', tenant });
  const next = `/frame-sign-in?${back.toString()}`;
  const start = provider === null ? null : `/t/${encodeURIComponent(tenant)}/oauth/${encodeURIComponent(provider)}/start?next=${encodeURIComponent(next)}`;
  useEffect(() => {
    if (start !== null) window.location.replace(start);
  }, [start]);
  if (start === null) return <Navigate to={`/sign-in?tenant=${encodeURIComponent(tenant)}&next=${encodeURIComponent(next)}`} replace />;
  return <main className={classes.gate} aria-busy="true"><Loader aria-label="Going to the sign-in" /></main>;
}

function Handover({ link, challenge }: { link: string; challenge: string }) {
  const [{ error }, issue] = useMutation(IssueFrameCodeDocument);
  const [code, setCode] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const asked = useRef(false);

  const hand = useCallback(async () => {
    const { data } = await issue({ link, challenge });
    const answer = data?.issueFrameCode;
    if (answer?.error) setProblem(answer.error.message);
    if (!answer?.code) return;
    setCode(answer.code);
    // To a page of our own alone: whoever else opened this window gets nothing.
    const opener = window.opener as Window | null;
    opener?.postMessage({ type: codeMessage, code: answer.code }, window.location.origin);
    if (opener) window.close();
  }, [issue, link, challenge]);

  useEffect(() => {
    document.title = 'Signed in · Baton';
    if (asked.current) return;
    asked.current = true;
    void hand();
  }, [hand]);

  if (error) return <main className={classes.gate}><ErrorState error={error} /></main>;
  return (
    <main className={classes.gate}>
      <div className={classes.card}>
        <Brand />
        <Title order={1} size="h2">{problem === null ? 'You are signed in' : 'This did not work'}</Title>
        {problem !== null && <Text role="alert">{problem}</Text>}
        {code !== null && (
          <>
            <Text>Go back to your CRM and close this window. If the page there still asks, enter this code. It is good for one minute; give it to nobody.</Text>
            <code className={classes.code} aria-label="Code for the page in your CRM">{`${code.slice(0, 5)}-${code.slice(5)}`}</code>
            <Button variant="default" onClick={() => { void hand(); }}>New code</Button>
          </>
        )}
      </div>
    </main>
  );
}
