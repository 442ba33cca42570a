import { SegmentedControl, Select } from '@mantine/core';
import { useEffect } from 'react';
import { Link, useSearchParams } from 'react-router';
import { RequireSession } from '../../app/session';
import { useThreshold } from './cases-page';
import { spans, useBoard, useClocks } from './filter';
import { By, Open, Tiles, Trend, useNow } from './parts';
import classes from './sla.module.css';

/** The board on one screen of 1280 by 720, without the frame: what a CRM shows behind a resource link. */
export function CompactPage() {
  return <RequireSession><Compact /></RequireSession>;
}

function Compact() {
  const board = useBoard();
  const clocks = useClocks();
  const now = useNow(board);
  const threshold = useThreshold(board.clock);
  const [parameters] = useSearchParams();
  useEffect(() => { document.title = 'Service levels · Baton'; }, []);
  return (
    <main id="main" className={classes.compact}>
      <header className={classes.compactHead}>
        <h1 tabIndex={-1}>Service levels</h1>
        <div className={classes.compactTools}>
          <Select
            size="xs" w={250} aria-label="Clock" allowDeselect={false} value={board.clock} data={clocks}
            onChange={(clock) => { board.set({ clock }); }}
          />
          <SegmentedControl
            size="xs" aria-label="Span of the board" value={board.span} onChange={(span) => { board.set({ span }); }}
            data={Object.entries(spans).map(([value, { label }]) => ({ value, label }))}
          />
          <Link to={`/sla?${parameters.toString()}`}>Whole board</Link>
        </div>
      </header>
      <Tiles board={board} now={now} />
      <div className={classes.compactGrid}>
        <Open board={board} now={now} first={10} standing={null} title="Due next" detail="Open clocks that can still be met" />
        <Trend board={board} height={176} target={threshold} csv={false} />
        <By board={board} dimension="SOURCE" most={5} compared={false} />
      </div>
    </main>
  );
}
