import { Button, CopyButton } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';
import { announce } from '../../components/announce';
import classes from './settings.module.css';

/** A text that has to be entered elsewhere, exactly. */
export function CopyLine({ label, text }: { label: string; text: string }) {
  return (
    <div className={classes.copyLine}>
      <code aria-label={label}>{text}</code>
      <CopyButton value={text}>
        {({ copied, copy }) => (
          <Button
            variant="default" size="xs" leftSection={copied ? <IconCheck size={14} aria-hidden="true" /> : <IconCopy size={14} aria-hidden="true" />}
            onClick={() => { copy(); announce('Copied'); }}
          >
            {copied ? 'Copied' : 'Copy'}
          </Button>
        )}
      </CopyButton>
    </div>
  );
}
