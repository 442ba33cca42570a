import { Button, PasswordInput } from '@mantine/core';
import { IconDeviceDesktop } from '@tabler/icons-react';
import { useState, type SubmitEvent } from 'react';
import { useMutation, useQuery } from 'urql';
import { useRenewSession } from '../../app/session';
import { DataTable, type Column } from '../../components/data-table';
import { messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { notifyDone, notifyError, succeeded } from '../../components/notify';
import { Panel } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { Tag } from '../../components/status';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { SessionsQuery } from '../../gql/graphql';
import { plural } from '../../lib/format';
import classes from './settings.module.css';

const SessionsDocument = graphql(`
  query Sessions { sessions { id present method address userAgent createdAt lastSeenAt expiresAt } }
`);

const EndSessionsDocument = graphql(`
  mutation EndSessions($id: ID) { endSessions(id: $id) { ended error { message } } }
`);

const ChangePasswordDocument = graphql(`
  mutation ChangePassword($old: String!, $new: String!) { changePassword(old: $old, new: $new) { error { field code message } } }
`);

type SessionRow = SessionsQuery['sessions'][number];

/** What a browser calls itself, short enough to recognise it. */
function browserName(userAgent: string | null | undefined): string {
  const name = /(Firefox|Edg|OPR|Chrome|Safari)\/[\d.]+/.exec(userAgent ?? '')?.[1];
  const system = /(Windows|Mac OS X|Android|iPhone|Linux)/.exec(userAgent ?? '')?.[1];
  if (!name) return 'Unknown browser or program';
  return system ? `${name === 'Edg' ? 'Edge' : name} on ${system}` : name;
}

/** Where one is signed in, and one's own password. */
export function SessionsPage() {
  const [{ data, error }, again] = useQuery({ query: SessionsDocument });
  const [{ fetching }, end] = useMutation(EndSessionsDocument);
  const reload = () => { again({ requestPolicy: 'network-only' }); };

  async function ended(id: string | null) {
    const done = succeeded(await end({ id }), (answer) => answer.endSessions);
    if (!done) return;
    notifyDone(id === null ? `${plural(done.ended, 'other session')} ended.` : 'The session ended.');
    reload();
  }

  const columns: readonly Column<SessionRow>[] = [
    { key: 'browser', header: 'Browser', cell: (row) => <span title={row.userAgent ?? undefined}>{browserName(row.userAgent)} {row.present && <Tag tone="good">this one</Tag>}</span> },
    { key: 'method', header: 'Signed in with', card: 'plain', cell: (row) => <span>{row.method}</span> },
    { key: 'address', header: 'From', from: 'medium', card: 'plain', cell: (row) => <span className="mono">{row.address}</span> },
    { key: 'begun', header: 'Begun', fit: 'line', from: 'medium', cell: (row) => <Time at={row.createdAt} /> },
    { key: 'seen', header: 'Last used', fit: 'line', align: 'end', cell: (row) => <Time at={row.lastSeenAt} /> },
    { key: 'end', header: 'Action', align: 'end', card: 'corner', cell: (row) => (row.present ? null : <Button variant="default" size="compact-sm" onClick={() => { void ended(row.id); }}>End</Button>) },
  ];

  return (
    <>
      <Panel
        flush title="Your sessions" detail="Browsers and CRM frames in which you are signed in."
        actions={data && data.sessions.length > 1 && <Button variant="default" loading={fetching} onClick={() => { void ended(null); }}>End all others</Button>}
      >
        {error && !data ? <ErrorState error={error} onRetry={reload} /> : (
          <DataTable caption="Your sessions, newest first" columns={columns} rows={data?.sessions} rowKey={({ id }) => id} empty={<EmptyState icon={IconDeviceDesktop} title="No session" detail="Programs with a key have none." />} />
        )}
      </Panel>
      <Panel title="Your password" detail="Changing it ends every session: you sign in again with the new one."><ChangePassword /></Panel>
    </>
  );
}

function ChangePassword() {
  const renew = useRenewSession();
  const [old, setOld] = useState('');
  const [fresh, setFresh] = useState('');
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [{ fetching }, change] = useMutation(ChangePasswordDocument);
  const toggle = { 'aria-label': 'Show the password', tabIndex: 0 };

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    setProblem(null);
    const { data, error } = await change({ old, new: fresh });
    if (error) notifyError(error);
    if (data?.changePassword.error) setProblem(data.changePassword.error);
    else if (data) {
      notifyDone('Your password was changed. Sign in with the new one.');
      renew();
    }
  }

  return (
    <form className={classes.rows} onSubmit={submit} noValidate>
      <OtherMessage error={problem} fields={['password']} />
      <PasswordInput label="Present password" autoComplete="current-password" visibilityToggleButtonProps={toggle} value={old} onChange={(event) => { setOld(event.currentTarget.value); }} />
      <PasswordInput label="New password" autoComplete="new-password" visibilityToggleButtonProps={toggle} value={fresh} onChange={(event) => { setFresh(event.currentTarget.value); }} error={messageFor(problem, 'password')} />
      <div><Button type="submit" loading={fetching} disabled={old === '' || fresh === ''}>Change the password</Button></div>
    </form>
  );
}
