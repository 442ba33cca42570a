import { Skeleton, Stack, VisuallyHidden } from '@mantine/core';
import classes from './layout.module.css';

/** The frame of the page while the session is being looked up. */
export function LayoutSkeleton() {
  return (
    <div className={classes.shell} aria-busy="true">
      <div className={classes.sidebar} aria-hidden="true">
        <div className={classes.sidebarStay}>
          <Stack gap="sm" p="md">
            {[120, 150, 130, 140, 110, 145].map((width) => <Skeleton key={width} height={22} width={width} />)}
          </Stack>
        </div>
      </div>
      <main className={classes.main}>
        <VisuallyHidden role="status">Loading</VisuallyHidden>
        <Stack gap="lg">
          <Skeleton height={32} width={200} />
          <Skeleton height={420} />
        </Stack>
      </main>
    </div>
  );
}
