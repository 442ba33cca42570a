import { Tooltip } from '@mantine/core';
import { useZone } from '../app/session';
import { formatFullTime, formatTime } from '../lib/zone';

/** An instant in the tenant's zone; the full time, with its zone, on hover. */
export function Time({ at }: { at: string | null | undefined }) {
  const zone = useZone();
  if (!at) return <span className="quiet">–</span>;
  return (
    <Tooltip label={formatFullTime(at, zone)}>
      <time dateTime={at}>{formatTime(at, zone)}</time>
    </Tooltip>
  );
}
