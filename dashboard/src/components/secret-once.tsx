import { Alert, Button, CopyButton, Group, Modal, Stack, Text } from '@mantine/core';
import { IconCheck, IconCopy, IconEyeOff } from '@tabler/icons-react';
import { announce } from './announce';
import classes from './secret-once.module.css';

interface Props {
  /** Null while there is nothing to show. */
  secret: string | null;
  title: string;
  use: string;
  onClose: () => void;
}

/** A secret that the server shows once and keeps only as a hash. */
export function SecretOnce({ secret, title, use, onClose }: Props) {
  return (
    <Modal opened={secret !== null} onClose={onClose} title={title} closeOnClickOutside={false} closeButtonProps={{ 'aria-label': 'Close' }}>
      <Stack>
        <Text>{use}</Text>
        <code className={classes.secret} aria-label={title}>{secret}</code>
        <Alert color="yellow" variant="light" icon={<IconEyeOff aria-hidden="true" />}>
          It is shown this once. Baton keeps no copy that it could show again; store it where your other secrets are.
        </Alert>
        <Group justify="flex-end">
          <CopyButton value={secret ?? ''}>
            {({ copied, copy }) => (
              <Button
                variant="default" data-autofocus
                leftSection={copied ? <IconCheck size={16} aria-hidden="true" /> : <IconCopy size={16} aria-hidden="true" />}
                onClick={() => { copy(); announce('Copied'); }}
              >
                {copied ? 'Copied' : 'Copy'}
              </Button>
            )}
          </CopyButton>
          <Button onClick={onClose}>I have stored it</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
