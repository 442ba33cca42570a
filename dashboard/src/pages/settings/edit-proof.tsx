import { Button, Textarea, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useMutation } from 'urql';
import { FormDrawer, messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { notifyDone, succeeded } from '../../components/notify';
import { graphql } from '../../gql';
import type { FrameProofKind } from '../../gql/graphql';
import { crms } from './embedding-page';

const SetFrameProofDocument = graphql(`
  mutation SetFrameProof($input: SetFrameProofInput!) {
    setFrameProof(input: $input) { embedding { ancestors proofs { kind audience } } error { field code message } }
  }
`);

interface Props {
  kind: FrameProofKind;
  audience: string | null;
  taken: boolean;
  onClose: () => void;
}

export function EditProof({ kind, audience, taken, onClose }: Props) {
  const words = crms[kind];
  const [secret, setSecret] = useState('');
  const [account, setAccount] = useState(audience ?? '');
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [{ fetching }, set] = useMutation(SetFrameProofDocument);

  async function save(newSecret: string | null) {
    setProblem(null);
    const payload = succeeded(await set({ input: { kind, secret: newSecret, audience: account.trim() || null } }), (data) => data.setFrameProof, setProblem);
    if (!payload) return;
    notifyDone(newSecret === null ? `${words.name} vouches for nobody any more.` : `${words.name} vouches for its people now.`);
    onClose();
  }

  return (
    <FormDrawer opened title={words.name} action="Accept its word" readOnly={false} busy={fetching} onSubmit={() => save(secret)} onClose={onClose}>
      <OtherMessage error={problem} fields={['secret', 'audience']} />
      <Textarea
        label={words.secret} description={taken ? 'Kept encrypted. Enter it again to change anything.' : 'Kept encrypted, never shown again.'} required data-autofocus autosize minRows={kind === 'ZENDESK' ? 4 : 1}
        spellCheck={false} autoComplete="off" value={secret} onChange={(event) => { setSecret(event.currentTarget.value); }} error={messageFor(problem, 'secret')}
      />
      <TextInput
        label={words.account} description={kind === 'ZENDESK' ? 'As in https://acme.zendesk.com/api/v2/apps/installations/7.json' : 'Needed when the app serves other companies too: then only this account’s people are let in.'}
        required={kind === 'ZENDESK'} spellCheck={false} value={account} onChange={(event) => { setAccount(event.currentTarget.value); }} error={messageFor(problem, 'audience')}
      />
      {taken && <div><Button variant="subtle" color="red" onClick={() => { void save(null); }}>Accept its word no more</Button></div>}
    </FormDrawer>
  );
}
