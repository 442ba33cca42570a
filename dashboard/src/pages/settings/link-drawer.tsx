import { Button, Drawer, Input, Stack } from '@mantine/core';
import { useState } from 'react';
import { useMutation } from 'urql';
import { Confirm } from '../../components/confirm';
import { notifyDone, succeeded } from '../../components/notify';
import { Facts } from '../../components/panel';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import { formatCount } from '../../lib/format';
import { roleNames } from '../../lib/roles';
import { CopyLine } from './copy-line';
import { linkPages, type LinkRow } from './links-page';
import classes from './settings.module.css';

const RevokeResourceLinkDocument = graphql(`
  mutation RevokeResourceLink($id: ID!) {
    revokeResourceLink(id: $id) { link { id live revokedAt } error { message } }
  }
`);

/** A link with its address, and the page as the CRM will show it. */
export function LinkDrawer({ link, onClose }: { link: LinkRow; onClose: () => void }) {
  const [revoking, setRevoking] = useState(false);
  const [preview, setPreview] = useState(false);
  const [{ fetching }, revoke] = useMutation(RevokeResourceLinkDocument);

  async function revoked() {
    const done = succeeded(await revoke({ id: link.id }), (data) => data.revokeResourceLink);
    setRevoking(false);
    if (done) notifyDone(`${link.name} opens no more.`);
  }

  const path = new URL(link.url).pathname;
  return (
    <>
      <Drawer opened onClose={onClose} size="xl" title={link.name} closeButtonProps={{ 'aria-label': 'Close' }}>
        <Stack gap="lg">
          <Input.Wrapper label="Address" description={link.page === 'LEAD' ? 'Enter it in your CRM, and let the CRM put its prospect id at the end.' : 'Enter it in your CRM.'} labelElement="div">
            <CopyLine label="Address" text={link.url} />
          </Input.Wrapper>
          <Facts
            entries={[
              { label: 'Page', value: linkPages[link.page] },
              { label: 'Filters', value: link.filters.length === 0 ? null : link.filters.map(({ name, value }) => `${name} = ${value}`).join(', ') },
              { label: 'Who may open it', value: link.roles.length === 0 ? 'Every role' : link.roles.map((role) => roleNames[role]).join(', ') },
              { label: 'Expires', value: link.expiresAt ? <Time at={link.expiresAt} /> : 'Never' },
              { label: 'Created', value: <Time at={link.createdAt} /> },
              { label: 'Opened', value: `${formatCount(link.openings)} times` },
            ]}
          />
          {link.live && link.page !== 'LEAD' && (preview
            ? <iframe className={classes.preview} src={path} title={`Preview of ${link.name}`} />
            : <div><Button variant="default" onClick={() => { setPreview(true); }}>Show a preview</Button></div>)}
          {link.live && <div><Button variant="subtle" color="red" onClick={() => { setRevoking(true); }}>Revoke this link</Button></div>}
        </Stack>
      </Drawer>
      <Confirm opened={revoking} title={`Revoke ${link.name}?`} action="Revoke" danger busy={fetching} onConfirm={revoked} onClose={() => { setRevoking(false); }}>
        It opens no more, at once, and whoever has signed in inside the CRM through it is signed out there.
      </Confirm>
    </>
  );
}
