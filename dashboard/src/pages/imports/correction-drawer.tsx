import { Alert, Button, Drawer, Group, Skeleton, Stack, Text, TextInput } from '@mantine/core';
import { IconAlertCircle, IconCircleCheck } from '@tabler/icons-react';
import { useEffect, useRef, useState, type SubmitEvent } from 'react';
import { Link, useSearchParams } from 'react-router';
import { useMutation, useQuery } from 'urql';
import { announce } from '../../components/announce';
import { notifyDone, succeeded } from '../../components/notify';
import { EmptyState, ErrorState } from '../../components/states';
import { failedRecordStates, Status, submitOutcomes } from '../../components/status';
import { graphql } from '../../gql';
import type { CorrectFailedRecordMutation, FailedRecordQuery } from '../../gql/graphql';
import { assignReasons } from '../../lib/faults';
import { fieldLabel } from '../../lib/fields';
import { formatName } from '../../lib/format';
import classes from './imports.module.css';

const FailedRecordDocument = graphql(`
  query FailedRecord($id: ID!) {
    failedRecord(id: $id) {
      id record line raw state
      values { column value }
      reasons { field code message value columns }
      source { id name }
      import { id fileName }
      lead { id firstName lastName }
    }
  }
`);

const CorrectFailedRecordDocument = graphql(`
  mutation CorrectFailedRecord($input: CorrectFailedRecordInput!) {
    correctFailedRecord(input: $input) {
      outcome
      lead { id firstName lastName status }
      failedRecord { id state reasons { field code message value columns } }
      reasons { field code message value }
      error { field code message }
    }
  }
`);

const DismissFailedRecordDocument = graphql(`
  mutation DismissFailedRecord($id: ID!) {
    dismissFailedRecord(id: $id) { failedRecord { id state } error { field code message } }
  }
`);

type Failed = NonNullable<FailedRecordQuery['failedRecord']>;
type Answer = CorrectFailedRecordMutation['correctFailedRecord'];

/** The record that the address names (`?record=failed_…`), to be corrected in place. */
export function CorrectionDrawer({ onChange }: { onChange: () => void }) {
  const [parameters, setParameters] = useSearchParams();
  const id = parameters.get('record');
  const close = () => {
    setParameters((former) => {
      former.delete('record');
      return former;
    }, { preventScrollReset: true });
  };
  return (
    <Drawer opened={id !== null} onClose={close} size="xl" title="Refused record" closeButtonProps={{ 'aria-label': 'Close' }}>
      {id && <Record key={id} id={id} onChange={onChange} onClose={close} />}
    </Drawer>
  );
}

function Record({ id, onChange, onClose }: { id: string; onChange: () => void; onClose: () => void }) {
  const [{ data, error, fetching }, again] = useQuery({ query: FailedRecordDocument, variables: { id } });
  const record = data?.failedRecord;
  if (error && !record) return <ErrorState error={error} onRetry={() => { again({ requestPolicy: 'network-only' }); }} />;
  if (!record && fetching) return <Stack aria-busy="true"><Skeleton height={90} /><Skeleton height={260} /></Stack>;
  if (!record) return <EmptyState icon={IconAlertCircle} title="No such record" detail="It may have been removed." />;
  return <Correction record={record} onChange={onChange} onClose={onClose} />;
}

function Reason({ field, message, value }: { field: string; message: string; value?: string | null | undefined }) {
  return <li><strong>{fieldLabel(field)}</strong> {message}{value && <> Sent as <span className="mono">{value}</span>.</>}</li>;
}

function Correction({ record, onChange, onClose }: { record: Failed; onChange: () => void; onClose: () => void }) {
  // The list behind is read again after a correction, and with it this record: what is being
  // edited must not change under the person's hands.
  const [values, setValues] = useState(() => record.values ?? []);
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [{ fetching }, correct] = useMutation(CorrectFailedRecordDocument);
  const outcome = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (answer) outcome.current?.focus();
  }, [answer]);

  // The person came to mend what is marked: that is where they start.
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, []);

  const refusedAgain = answer?.outcome === 'REJECT';
  const { byColumn, others } = assignReasons(record.values ?? [], refusedAgain ? answer.failedRecord?.reasons ?? [] : record.reasons);
  const open = record.state === 'OPEN' && (answer === null || refusedAgain);

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    const payload = succeeded(
      await correct({ input: { id: record.id, values: values.map(({ column, value }) => ({ column, value })) } }),
      (data) => data.correctFailedRecord,
    );
    if (!payload) return;
    setAnswer(payload);
    if (payload.outcome) announce(submitOutcomes[payload.outcome].label);
    onChange();
  }

  return (
    <form ref={form} className={classes.form} onSubmit={submit} aria-label={`Correct record ${record.record}`}>
      <Group gap="sm">
        <Text c="dimmed">
          Record {record.record}, line {record.line} {record.import ? <>of <Link to={`/imports/${record.import.id}`}>{record.import.fileName}</Link></> : <>from {record.source.name}</>}
        </Text>
        <Status {...failedRecordStates[answer && !refusedAgain ? 'CORRECTED' : record.state]} />
      </Group>
      {answer && <div ref={outcome} tabIndex={-1}><NewOutcome answer={answer} /></div>}
      {!answer && record.state === 'OPEN' && (
        <Alert color="red" variant="light" icon={<IconAlertCircle aria-hidden="true" />} title="Why it was refused">
          <ul className={classes.reasons}>{record.reasons.map((reason) => <Reason key={`${reason.field} ${reason.code}`} {...reason} />)}</ul>
        </Alert>
      )}
      {record.lead && !answer && <Text>It became <Link to={`/leads/${record.lead.id}`}>{formatName(record.lead)}</Link>.</Text>}
      {record.values ? (
        <fieldset className={classes.columns} disabled={!open}>
          <legend className="visually-hidden">Columns of the record</legend>
          {values.map(({ column, value }, index) => (
            <TextInput
              // Headers can repeat; the position tells two columns of one name apart.
              key={index} label={column} value={value} error={open ? byColumn.get(index)?.message : undefined} disabled={!open}
              onChange={(event) => { const text = event.currentTarget.value; setValues(values.map((entry, at) => (at === index ? { ...entry, value: text } : entry))); }}
            />
          ))}
        </fieldset>
      ) : (
        <>
          <Text>The record could not be split into columns, so it cannot be corrected here. Mend it where it comes from and send it again, or dismiss it.</Text>
          <pre className={`mono ${classes.raw ?? ''}`}>{record.raw}</pre>
        </>
      )}
      {open && others.length > 0 && record.values && <Text size="sm" c="dimmed">Not tied to one column: {others.map(({ message }) => message).join(' ')}</Text>}
      <Group justify="space-between">
        {open ? <Dismiss id={record.id} onDone={() => { onChange(); onClose(); }} /> : <span />}
        {open && record.values
          ? <Button type="submit" loading={fetching}>Send again</Button>
          : <Button variant="default" onClick={onClose}>Close</Button>}
      </Group>
    </form>
  );
}

function Dismiss({ id, onDone }: { id: string; onDone: () => void }) {
  const [{ fetching }, dismiss] = useMutation(DismissFailedRecordDocument);
  async function leave() {
    if (!succeeded(await dismiss({ id }), (data) => data.dismissFailedRecord)) return;
    notifyDone('The record was dismissed. It stays in the list of all.');
    onDone();
  }
  return <Button variant="subtle" color="gray" loading={fetching} onClick={leave}>Dismiss the record</Button>;
}

function NewOutcome({ answer }: { answer: Answer }) {
  const outcome = answer.outcome ?? 'REJECT';
  const refused = outcome === 'REJECT';
  return (
    <Alert
      color={refused ? 'red' : 'green'} variant="light" title={submitOutcomes[outcome].label}
      icon={refused ? <IconAlertCircle aria-hidden="true" /> : <IconCircleCheck aria-hidden="true" />}
    >
      {answer.lead && <Text size="sm">The lead is <Link to={`/leads/${answer.lead.id}`}>{formatName(answer.lead)}</Link>.</Text>}
      {answer.reasons.length > 0 && <ul className={classes.reasons}>{answer.reasons.map((reason) => <Reason key={`${reason.field} ${reason.code}`} {...reason} />)}</ul>}
    </Alert>
  );
}
