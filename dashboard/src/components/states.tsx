import { Button, Text } from '@mantine/core';
import { IconAlertTriangle, IconLock, type Icon } from '@tabler/icons-react';
import type { CombinedError } from '@urql/core';
import type { ReactNode } from 'react';
import { explain } from '../lib/errors';
import classes from './states.module.css';

interface EmptyProps {
  icon: Icon;
  title: string;
  detail: ReactNode;
  children?: ReactNode;
}

/** Says why there is nothing, and what would change that. */
export function EmptyState({ icon: StateIcon, title, detail, children }: EmptyProps) {
  return (
    <div className={classes.state}>
      <span className={classes.icon}><StateIcon size={24} stroke={1.5} aria-hidden="true" /></span>
      <Text fw={620} size="md">{title}</Text>
      <Text c="dimmed" maw={460}>{detail}</Text>
      {children && <div className={classes.actions}>{children}</div>}
    </div>
  );
}

/** In place of what the viewer's role does not include. */
export function NotForYourRole() {
  return <EmptyState icon={IconLock} title="Not for your role" detail="Your role does not include this page. An administrator can change your role." />;
}

/** Says what failed and what to do; the request id is what an operator asks for. */
export function ErrorState({ error, onRetry }: { error: CombinedError; onRetry?: () => void }) {
  const { title, detail, requestId } = explain(error);
  return (
    <div className={classes.state} role="alert">
      <span className={classes.icon} data-tone="bad"><IconAlertTriangle size={24} stroke={1.5} aria-hidden="true" /></span>
      <Text fw={620} size="md">{title}</Text>
      <Text c="dimmed" maw={460}>{detail}</Text>
      {requestId && <Text size="xs" c="dimmed">Request id <span className="mono">{requestId}</span></Text>}
      {onRetry && (
        <div className={classes.actions}>
          <Button variant="default" onClick={onRetry}>Try again</Button>
        </div>
      )}
    </div>
  );
}
