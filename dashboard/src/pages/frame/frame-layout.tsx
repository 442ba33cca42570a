import { Anchor, Skeleton } from '@mantine/core';
import { IconExternalLink, IconLinkOff } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';
import { Outlet, useLocation, useNavigate } from 'react-router';
import { useMutation } from 'urql';
import { RequireSession, useViewer } from '../../app/session';
import { Announcer } from '../../components/announce';
import { EmptyState, ErrorState } from '../../components/states';
import { graphql } from '../../gql';
import { frameLink } from '../../lib/embedding';
import classes from './frame.module.css';
import { FrameGate } from './frame-gate';

const OpenLinkDocument = graphql(`
  mutation OpenLink($link: String!, $prospect: String) {
    openResourceLink(link: $link, prospect: $prospect) { path error { field code message } }
  }
`);

/** The dashboard inside a CRM: the page that the link names, without the frame of its own window. */
export function FrameLayout() {
  return (
    <RequireSession otherwise={<FrameGate />}>
      <OpenedLink />
    </RequireSession>
  );
}

function OpenedLink() {
  const location = useLocation();
  const navigate = useNavigate();
  const [{ error }, open] = useMutation(OpenLinkDocument);
  const [problem, setProblem] = useState<string | null>(null);
  const [opened, setOpened] = useState(false);
  const asked = useRef(false);

  useEffect(() => {
    // Once a document: going from page to page in the frame is one opening.
    if (asked.current) return;
    asked.current = true;
    const prospect = new URLSearchParams(location.search).get('prospect');
    void open({ link: frameLink ?? '', prospect }).then(async ({ data }) => {
      const answer = data?.openResourceLink;
      if (answer?.error) setProblem(answer.error.message);
      if (!answer?.path) return;
      if (location.pathname === '/') await navigate(answer.path, { replace: true });
      setOpened(true);
    });
  }, [location, navigate, open]);

  if (problem !== null) {
    return <main className={classes.gate}><EmptyState icon={IconLinkOff} title="This link does not open here" detail={problem} /></main>;
  }
  if (error) return <main className={classes.gate}><ErrorState error={error} /></main>;
  if (!opened) return <main className={classes.main} aria-busy="true"><Skeleton height={320} /></main>;
  return <CompactFrame />;
}

function CompactFrame() {
  const viewer = useViewer();
  const { pathname, search } = useLocation();
  return (
    <>
      <header className={classes.bar}>
        <span>{viewer.tenant.name} <span className="quiet">· {viewer.name ?? viewer.email}</span></span>
        <Anchor href={`${pathname}${search}`} target="_blank" rel="noreferrer" size="sm">
          Open in Baton <IconExternalLink size={13} aria-hidden="true" />
        </Anchor>
      </header>
      <main id="main" className={classes.main} tabIndex={-1}>
        <Outlet />
      </main>
      <Announcer />
    </>
  );
}
