import { Alert, Button, Drawer } from '@mantine/core';
import { IconLock } from '@tabler/icons-react';
import type { SubmitEvent, ReactNode } from 'react';
import { sentence } from '../lib/format';
import classes from './form-drawer.module.css';

interface Props {
  opened: boolean;
  title: string;
  action: string;
  /** Who may not change it may look at it. */
  readOnly: boolean;
  busy: boolean;
  onSubmit: () => Promise<void>;
  onClose: () => void;
  children: ReactNode;
}

/** A form beside the list that it belongs to. */
export function FormDrawer({ opened, title, action, readOnly, busy, onSubmit, onClose, children }: Props) {
  async function submit(event: SubmitEvent) {
    event.preventDefault();
    await onSubmit();
  }
  return (
    <Drawer opened={opened} onClose={onClose} size="lg" title={title} closeButtonProps={{ 'aria-label': 'Close' }}>
      <form className={classes.form} onSubmit={submit} noValidate>
        {readOnly && (
          <Alert variant="light" color="gray" icon={<IconLock aria-hidden="true" />}>Your role may look at this, not change it.</Alert>
        )}
        {children}
        <div className={classes.footer}>
          <Button variant="default" onClick={onClose}>{readOnly ? 'Close' : 'Cancel'}</Button>
          {!readOnly && <Button type="submit" loading={busy}>{action}</Button>}
        </div>
      </form>
    </Drawer>
  );
}

export interface FieldError {
  field?: string | null;
  message: string;
}

/** The message for one field of a form. */
export function messageFor(error: FieldError | null, field: string): string | null {
  return error?.field === field ? sentence(error.message) : null;
}

/** A message that fits none of the form's fields. */
export function OtherMessage({ error, fields }: { error: FieldError | null; fields: readonly string[] }) {
  if (!error || (error.field && fields.includes(error.field))) return null;
  return <Alert role="alert" variant="light" color="red">{sentence(error.message)}</Alert>;
}
