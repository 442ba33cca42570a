import { Button } from '@mantine/core';
import { IconMapQuestion, IconMoodSad } from '@tabler/icons-react';
import { Link } from 'react-router';
import { PageHeader } from '../components/page-header';
import { EmptyState } from '../components/states';

export function MissingPage() {
  return (
    <>
      <PageHeader title="No such page" />
      <EmptyState icon={IconMapQuestion} title="Nothing lives at this address" detail="The link may be old, or mistyped.">
        <Button component={Link} to="/leads">Go to the leads</Button>
      </EmptyState>
    </>
  );
}

/** A fault of the page itself; the rest of the dashboard goes on. */
export function CrashPage() {
  return (
    <>
      <PageHeader title="This page stopped" />
      <EmptyState icon={IconMoodSad} title="The page could not be shown" detail="Your data is not affected. Reload to go on; if a new version came out meanwhile, that is the cure.">
        <Button onClick={() => { window.location.reload(); }}>Reload</Button>
      </EmptyState>
    </>
  );
}
