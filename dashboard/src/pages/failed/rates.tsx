import { useState } from 'react';
import { useQuery } from 'urql';
import { Facts, Panel } from '../../components/panel';
import { ErrorState } from '../../components/states';
import { graphql } from '../../gql';
import { formatCount, formatShare } from '../../lib/format';

const SubmissionRatesDocument = graphql(`
  query SubmissionRates($since: DateTime!) {
    submissionRates(since: $since) { channel rate { succeeded failed pending } }
  }
`);

const channels: Readonly<Record<string, string>> = { sms: 'Text', voice: 'Phone', web: 'Dashboard', file: 'Files', api: 'API' };

/** The success rate of a week, by channel: each lead once, by its first submission, resolved since or not. */
export function Rates() {
  const [since] = useState(() => new Date(Math.floor(Date.now() / 3_600_000) * 3_600_000 - 7 * 86_400_000).toISOString());
  const [{ data, error }] = useQuery({ query: SubmissionRatesDocument, variables: { since } });
  if (error && !data) return <Panel title="Success rate, last 7 days"><ErrorState error={error} /></Panel>;
  const rows = data?.submissionRates ?? [];
  if (data && rows.length === 0) return null;
  const succeeded = rows.reduce((sum, { rate }) => sum + rate.succeeded, 0);
  const failed = rows.reduce((sum, { rate }) => sum + rate.failed, 0);
  const share = (good: number, bad: number) => (good + bad === 0 ? 'On the way' : formatShare(good, good + bad));
  return (
    <Panel title="Success rate, last 7 days" detail="Each lead once, by its first submission. One that failed counts as failed, resolved since or not.">
      <Facts
        entries={[
          { label: 'All channels', value: data ? `${share(succeeded, failed)} · ${formatCount(failed)} failed` : '…' },
          ...rows.map(({ channel, rate }) => ({ label: channels[channel] ?? channel, value: `${share(rate.succeeded, rate.failed)} · ${formatCount(rate.failed)} failed` })),
        ]}
      />
    </Panel>
  );
}
