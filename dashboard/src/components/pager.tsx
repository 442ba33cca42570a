import { Button } from '@mantine/core';
import { IconArrowLeft, IconArrowRight } from '@tabler/icons-react';
import { useLocation, useNavigate, useSearchParams } from 'react-router';
import classes from './pager.module.css';

interface PageInfo {
  hasNextPage: boolean;
  hasPreviousPage: boolean;
  startCursor?: string | null;
  endCursor?: string | null;
}

interface Props {
  /** What is listed, in the plural. */
  label: string;
  summary?: string;
  pageInfo: PageInfo | undefined;
}

/** The arguments of the page that the address names. */
export function pageOf(parameters: URLSearchParams, size: number) {
  const before = parameters.get('before');
  return before ? { first: null, last: size, before } : { first: size, after: parameters.get('after') };
}

/** Cursors of the pages that led here, newest last; an empty text is the first page. */
function trailOf(state: unknown): string[] {
  const trail = (state as { trail?: unknown } | null)?.trail;
  return Array.isArray(trail) ? (trail as string[]) : [];
}

/** Older and newer pages by cursor; the cursor stands in the address, so a page can be shared. */
export function Pager({ label, summary, pageInfo }: Props) {
  const [parameters] = useSearchParams();
  const navigate = useNavigate();
  const trail = trailOf(useLocation().state);
  const first = !parameters.has('after') && !parameters.has('before');
  // Opened by its address, a page tells only with its answer what stands before it.
  const knowsNewer = trail.length > 0 || pageInfo !== undefined;

  async function go(cursor: Record<'after' | 'before', string | null>, next: string[]) {
    const target = new URLSearchParams(parameters);
    for (const [name, value] of Object.entries(cursor)) {
      if (value) target.set(name, value);
      else target.delete(name);
    }
    await navigate({ search: target.toString() }, { state: { trail: next } });
  }

  const older = () => go({ after: pageInfo?.endCursor ?? null, before: null }, [...trail, parameters.get('after') ?? '']);
  const newer = () => {
    if (trail.length > 0) return go({ after: trail.at(-1) ?? null, before: null }, trail.slice(0, -1));
    if (pageInfo?.hasPreviousPage) return go({ after: null, before: pageInfo.startCursor ?? null }, []);
    return go({ after: null, before: null }, []);
  };

  if (first && pageInfo && !pageInfo.hasNextPage && !summary) return null;
  return (
    <nav className={classes.pager} aria-label={`Pages of ${label}`}>
      <span className="quiet">{summary}</span>
      <Button.Group>
        <Button variant="default" size="xs" disabled={first || !knowsNewer} onClick={newer} leftSection={<IconArrowLeft size={14} aria-hidden="true" />}>Newer</Button>
        <Button variant="default" size="xs" disabled={!pageInfo?.hasNextPage} onClick={older} rightSection={<IconArrowRight size={14} aria-hidden="true" />}>Older</Button>
      </Button.Group>
    </nav>
  );
}
