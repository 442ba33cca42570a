import { notifications } from '@mantine/notifications';
import { IconAlertTriangle, IconCheck } from '@tabler/icons-react';
import type { CombinedError } from '@urql/core';
import { explain } from '../lib/errors';
import { sentence } from '../lib/format';

export function notifyDone(message: string): void {
  notifications.show({ message, color: 'petrol', icon: <IconCheck size={18} aria-hidden="true" />, closeButtonProps: { 'aria-label': 'Dismiss the message' } });
}

export function notifyProblem(title: string, message: string): void {
  notifications.show({
    title, message, color: 'red.8', autoClose: 12_000, icon: <IconAlertTriangle size={18} aria-hidden="true" />,
    role: 'alert', closeButtonProps: { 'aria-label': 'Dismiss the message' },
  });
}

export function notifyError(error: CombinedError): void {
  const { title, detail, requestId } = explain(error);
  notifyProblem(title, requestId ? `${detail} Request id ${requestId}` : detail);
}

interface Answer<Data> {
  data?: Data | undefined;
  error?: CombinedError | undefined;
}

/**
 * The payload of a mutation that went well; otherwise says what went wrong and answers null.
 * `pick` takes the payload out of the data, as in `(data) => data.cancelImport`; `refused` shows a refusal, as a form does
 * beside its field.
 */
export function succeeded<Data, Payload extends { error?: { message: string } | null }>(
  { data, error }: Answer<Data>,
  pick: (data: Data) => Payload,
  refused: (refusal: NonNullable<Payload['error']>) => void = ({ message }) => { notifyProblem('Not done', sentence(message)); },
): Payload | null {
  if (error) notifyError(error);
  if (!data) return null;
  const payload = pick(data);
  if (!payload.error) return payload;
  refused(payload.error);
  return null;
}
