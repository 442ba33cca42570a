import { Alert, Button, Skeleton, Text, TextInput, Title } from '@mantine/core';
import { IconAlertCircle, IconLinkOff } from '@tabler/icons-react';
import { useCallback, useEffect, useRef, useState, type SubmitEvent } from 'react';
import { useMutation, useQuery } from 'urql';
import { Brand } from '../../app/brand';
import { useRenewSession } from '../../app/session';
import { EmptyState, ErrorState } from '../../components/states';
import { graphql } from '../../gql';
import type { LinkDoorQuery } from '../../gql/graphql';
import { codeOf, frameLink, newHandshake, type Handshake } from '../../lib/embedding';
import { explain } from '../../lib/errors';
import classes from './frame.module.css';

const LinkDoorDocument = graphql(`
  query LinkDoor($link: String!) {
    linkDoor(link: $link) { tenantSlug tenantName live asksHighLevel providers { slug name } }
  }
`);

const RedeemFrameCodeDocument = graphql(`
  mutation RedeemFrameCode($input: RedeemFrameCodeInput!) {
    redeemFrameCode(input: $input) { ok error { code message } }
  }
`);

const ProveFrameDocument = graphql(`
  mutation ProveFrame($link: String!, $payload: String!) {
    proveFrame(link: $link, payload: $payload) { ok error { code message } }
  }
`);

type Door = NonNullable<LinkDoorQuery['linkDoor']>;

/** Stands before a link's page until somebody has signed in, in a window of its own. */
export function FrameGate() {
  const link = frameLink ?? '';
  const [{ data, error }, again] = useQuery({ query: LinkDoorDocument, variables: { link }, context: probe });
  if (error) return <main className={classes.gate}><ErrorState error={error} onRetry={() => { again({ requestPolicy: 'network-only' }); }} /></main>;
  if (!data) return <main className={classes.gate} aria-busy="true"><Skeleton height={220} width={380} /></main>;
  if (!data.linkDoor?.live) {
    return (
      <main className={classes.gate}>
        <EmptyState icon={IconLinkOff} title="This link is not valid any more" detail="It was revoked, or its time is over. Whoever runs Baton for your company can make a new one." />
      </main>
    );
  }
  return <SignIn door={data.linkDoor} link={link} />;
}

const probe = { sessionProbe: true };

function SignIn({ door, link }: { door: Door; link: string }) {
  const renew = useRenewSession();
  const [, redeem] = useMutation(RedeemFrameCodeDocument);
  const [problem, setProblem] = useState<string | null>(null);
  const [waiting, setWaiting] = useState(false);
  const [typed, setTyped] = useState('');
  const [handshake, setHandshake] = useState<Handshake | null>(null);
  const opened = useRef<Window | null>(null);

  useEffect(() => {
    document.title = 'Sign in · Baton';
    // Drawn before the click: a window that opens later than the click is taken for an unwanted one.
    void newHandshake().then(setHandshake);
  }, []);
  useHighLevel(door, link);

  const enter = useCallback(async (code: string) => {
    if (!handshake) return;
    const { data, error } = await redeem({ input: { link, code, verifier: handshake.verifier } });
    const refusal = data?.redeemFrameCode.error;
    if (data?.redeemFrameCode.ok) {
      renew();
      return;
    }
    setProblem(refusal?.message ?? (error ? explain(error).detail : 'The sign-in did not arrive. Try again.'));
    setHandshake(await newHandshake());
    setWaiting(false);
  }, [handshake, link, redeem, renew]);

  useEffect(() => {
    const listen = (event: MessageEvent<unknown>) => {
      const code = codeOf(event, window.location.origin);
      if (code === null || event.source !== opened.current) return;
      void enter(code);
    };
    window.addEventListener('message', listen);
    return () => { window.removeEventListener('message', listen); };
  }, [enter]);

  function open(provider: string | null) {
    if (!handshake) return;
    setProblem(null);
    const query = new URLSearchParams({ link, challenge: handshake.challenge, tenant: door.tenantSlug });
    if (provider !== null) query.set('provider', provider);
    opened.current = window.open(`/frame-sign-in?${query.toString()}`, '_blank', 'popup,width=520,height=720');
    setWaiting(opened.current !== null);
    if (!opened.current) setProblem('The browser did not open the window. Allow windows for this page, then try again.');
  }

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    await enter(typed);
  }

  return (
    <main className={classes.gate}>
      <div className={classes.card}>
        <Brand />
        <div>
          <Title order={1} size="h2">{door.tenantName}</Title>
          <Text c="dimmed" mt={4}>Sign in once, in a window of its own, to see this page here.</Text>
        </div>
        {problem !== null && <Alert role="alert" color="red" variant="light" icon={<IconAlertCircle aria-hidden="true" />}>{problem}</Alert>}
        {door.providers.map(({ slug, name }) => (
          <Button key={slug} disabled={!handshake} onClick={() => { open(slug); }}>Continue with {name}</Button>
        ))}
        <Button variant={door.providers.length > 0 ? 'default' : 'filled'} disabled={!handshake} onClick={() => { open(null); }}>
          {door.providers.length > 0 ? 'Sign in another way' : 'Sign in'}
        </Button>
        {waiting && (
          <form onSubmit={submit}>
            <TextInput
              label="Code from the other window" description="Needed only if this page does not open by itself" autoComplete="one-time-code" autoCapitalize="characters" spellCheck={false}
              value={typed} onChange={(event) => { setTyped(event.currentTarget.value); }}
              rightSectionWidth={84} rightSection={<Button type="submit" size="compact-sm" variant="subtle" disabled={typed.trim() === ''}>Use it</Button>}
            />
          </form>
        )}
      </div>
    </main>
  );
}

/** HighLevel tells its frames on request who looks at them, encrypted for the server alone. */
function useHighLevel({ asksHighLevel }: Door, link: string) {
  const renew = useRenewSession();
  const [, prove] = useMutation(ProveFrameDocument);
  useEffect(() => {
    if (!asksHighLevel || window.parent === window) return;
    const listen = (event: MessageEvent<unknown>) => {
      const data = event.data as { message?: unknown; payload?: unknown } | null;
      if (event.source !== window.parent || data?.message !== 'REQUEST_USER_DATA_RESPONSE' || typeof data.payload !== 'string') return;
      window.removeEventListener('message', listen);
      void prove({ link, payload: data.payload }).then((answer) => {
        if (answer.data?.proveFrame.ok) renew();
      });
    };
    window.addEventListener('message', listen);
    // Nothing secret is asked: any parent may know that this page would take its word.
    window.parent.postMessage({ message: 'REQUEST_USER_DATA' }, '*');
    return () => { window.removeEventListener('message', listen); };
  }, [asksHighLevel, link, prove, renew]);
}
