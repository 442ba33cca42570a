import { Alert, Button, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core';
import { IconAlertCircle } from '@tabler/icons-react';
import { useEffect, useState, type SubmitEvent } from 'react';
import { useNavigate } from 'react-router';
import { useMutation } from 'urql';
import { Brand } from '../../app/brand';
import { graphql } from '../../gql';
import { explain } from '../../lib/errors';
import { sentence } from '../../lib/format';
import classes from './sign-in.module.css';

const AcceptInvitationDocument = graphql(`
  mutation AcceptInvitation($input: AcceptInvitationInput!) {
    acceptInvitation(input: $input) { tenant email error { field code message } }
  }
`);

/** Where an invitation leads. Its token stands after the #, which no browser sends to a server. */
export function InvitationPage() {
  const navigate = useNavigate();
  const [token] = useState(() => window.location.hash.slice(1));
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [problem, setProblem] = useState<{ field?: string | null; message: string } | null>(null);
  const [{ fetching }, accept] = useMutation(AcceptInvitationDocument);

  useEffect(() => {
    document.title = 'Invitation · Baton';
    // Not for the history.
    window.history.replaceState(null, '', window.location.pathname);
  }, []);

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    setProblem(null);
    const { data, error } = await accept({ input: { token, name: name.trim(), password } });
    const refusal = data?.acceptInvitation.error;
    if (error ?? refusal) {
      setProblem(refusal ?? { message: error ? explain(error).detail : '' });
      return;
    }
    await navigate(`/sign-in?tenant=${encodeURIComponent(data?.acceptInvitation.tenant ?? '')}`, { replace: true });
  }

  return (
    <main className={classes.page}>
      <form className={classes.card} onSubmit={submit} noValidate aria-labelledby="invitation-title">
        <Brand />
        <div>
          <Title order={1} id="invitation-title" size="h1">You are invited</Title>
          <Text c="dimmed" mt={4}>Choose a password, then sign in. If your company offers another way to sign in, you can use that instead, without this page.</Text>
        </div>
        {problem && <Alert role="alert" color="red" variant="light" icon={<IconAlertCircle aria-hidden="true" />} title="This did not work">{sentence(problem.message)}</Alert>}
        {token === '' && <Alert color="yellow" variant="light" icon={<IconAlertCircle aria-hidden="true" />} title="The link is not whole">Open it from the invitation once more, to its last letter.</Alert>}
        <Stack gap="md">
          <TextInput label="Your name" autoComplete="name" value={name} onChange={(event) => { setName(event.currentTarget.value); }} error={problem?.field === 'name'} />
          <PasswordInput
            label="Password" autoComplete="new-password" visibilityToggleButtonProps={{ 'aria-label': 'Show the password', tabIndex: 0 }}
            value={password} onChange={(event) => { setPassword(event.currentTarget.value); }} error={problem?.field === 'password'}
          />
        </Stack>
        <Button type="submit" size="md" fullWidth loading={fetching} disabled={token === ''}>Join</Button>
      </form>
    </main>
  );
}
