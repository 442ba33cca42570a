import { Alert, Button, Divider, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core';
import { IconAlertCircle } from '@tabler/icons-react';
import { useDebouncedValue } from '@mantine/hooks';
import { useEffect, useRef, useState, type SubmitEvent } from 'react';
import { useNavigate, useSearchParams } from 'react-router';
import { useMutation, useQuery } from 'urql';
import { Brand } from '../../app/brand';
import { useRenewSession } from '../../app/session';
import { graphql } from '../../gql';
import { explain } from '../../lib/errors';
import { sentence } from '../../lib/format';
import { safeNext } from './next';
import classes from './sign-in.module.css';

const SignInDocument = graphql(`
  mutation SignIn($input: SignInInput!) {
    signIn(input: $input) {
      viewer { id }
      error { field code message }
    }
  }
`);

const SignInOptionsDocument = graphql(`
  query SignInOptions($tenant: String!) {
    signInOptions(tenant: $tenant) { providers { slug name startUrl } }
  }
`);

/** What the server says by a word in the address when a sign-in with a provider fails. */
const problems: Readonly<Record<string, string>> = {
  'no-provider': 'This way to sign in is not offered any more.',
  cancelled: 'The sign-in was cancelled.',
  expired: 'The sign-in took too long, or was used already. Start again.',
  'not-invited': 'There is no account for you here yet. Ask an administrator for an invitation.',
  'email-not-verified': 'The provider has not verified your e-mail address. Verify it there, then try again.',
  disabled: 'Your account is disabled. Ask an administrator.',
  'provider-failed': 'The provider did not answer as it should. Try again, or sign in another way.',
  failed: 'Something went wrong on our side. Try again in a moment.',
};

const rememberedTenant = 'baton.tenant';

interface Problem {
  field?: string | null;
  message: string;
}

export function SignInPage() {
  const [parameters] = useSearchParams();
  const navigate = useNavigate();
  const renew = useRenewSession();
  const [{ fetching }, signIn] = useMutation(SignInDocument);
  const [tenant, setTenant] = useState(() => parameters.get('tenant') ?? localStorage.getItem(rememberedTenant) ?? '');
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [problem, setProblem] = useState<Problem | null>(() => {
    const word = parameters.get('problem');
    return word === null ? null : { message: problems[word] ?? problems.failed ?? '' };
  });
  const [settled] = useDebouncedValue(tenant.trim(), 400);
  const [{ data: options }] = useQuery({ query: SignInOptionsDocument, variables: { tenant: settled }, pause: settled === '' });
  const providers = settled === '' ? [] : options?.signInOptions.providers ?? [];
  const next = safeNext(parameters.get('next'));
  const alert = useRef<HTMLDivElement>(null);

  useEffect(() => {
    document.title = 'Sign in · Baton';
  }, []);
  useEffect(() => {
    if (problem) alert.current?.focus();
  }, [problem]);

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    setProblem(null);
    const input = { tenant: tenant.trim(), email: email.trim(), password };
    const missing = (['tenant', 'email', 'password'] as const).find((field) => input[field] === '');
    if (missing) {
      setProblem({ field: missing, message: 'Fill in the tenant, the e-mail address and the password.' });
      return;
    }
    const { data, error } = await signIn({ input });
    const refusal = data?.signIn.error;
    if (error ?? refusal) {
      setProblem(refusal ?? { message: error ? `${explain(error).title}. ${explain(error).detail}` : '' });
      return;
    }
    localStorage.setItem(rememberedTenant, input.tenant);
    renew();
    await navigate(next, { replace: true });
  }

  const at = (field: string) => problem?.field === field;
  return (
    <main className={classes.page}>
      <form className={classes.card} onSubmit={submit} noValidate aria-labelledby="sign-in-title">
        <Brand />
        <div>
          <Title order={1} id="sign-in-title" size="h1">Sign in</Title>
          <Text c="dimmed" mt={4} className={classes.claim}>Leads in, cleaned, handed over, accounted for.</Text>
        </div>
        {problem && (
          <Alert ref={alert} tabIndex={-1} role="alert" color="red" variant="light" className={classes.alert} icon={<IconAlertCircle aria-hidden="true" />} title="You are not signed in">
            {sentence(problem.message)}
          </Alert>
        )}
        <Stack gap="md">
          <TextInput
            label="Tenant" name="tenant" description="The short name of your company, as in acme" autoComplete="organization" autoCapitalize="none" spellCheck={false}
            value={tenant} onChange={(event) => { setTenant(event.currentTarget.value); }} error={at('tenant')}
          />
          <TextInput
            label="E-mail" name="email" type="email" autoComplete="username" autoCapitalize="none" spellCheck={false}
            value={email} onChange={(event) => { setEmail(event.currentTarget.value); }} error={at('email')}
          />
          <PasswordInput
            label="Password" name="password" autoComplete="current-password" visibilityToggleButtonProps={{ 'aria-label': 'Show the password', tabIndex: 0 }}
            value={password} onChange={(event) => { setPassword(event.currentTarget.value); }} error={at('password')}
          />
        </Stack>
        <Button type="submit" size="md" fullWidth loading={fetching}>Sign in</Button>
        {providers.length > 0 && (
          <Stack gap="sm">
            <Divider label="or" labelPosition="center" />
            {providers.map(({ slug, name, startUrl }) => (
              <Button
                key={slug} component="a" href={`${startUrl}?next=${encodeURIComponent(next)}`} variant="default" size="md" fullWidth
                onClick={() => { localStorage.setItem(rememberedTenant, settled); }}
              >
                Continue with {name}
              </Button>
            ))}
          </Stack>
        )}
      </form>
    </main>
  );
}
