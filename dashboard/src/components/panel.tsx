import { Title } from '@mantine/core';
import { useId, type ReactNode } from 'react';
import classes from './panel.module.css';

interface Props {
  title?: string;
  detail?: ReactNode;
  actions?: ReactNode;
  /** Without padding, for a table that fills the panel. */
  flush?: boolean;
  children: ReactNode;
}

/** A part of a page, with a heading of its own. */
export function Panel({ title, detail, actions, flush = false, children }: Props) {
  const id = useId();
  return (
    <section className={classes.panel} aria-labelledby={title ? id : undefined}>
      {title && (
        <div className={classes.head}>
          <div>
            <Title order={2} id={id}>{title}</Title>
            {detail && <div className={classes.detail}>{detail}</div>}
          </div>
          {actions && <div className={classes.actions}>{actions}</div>}
        </div>
      )}
      <div className={flush ? classes.flush : classes.body}>{children}</div>
    </section>
  );
}

/** Names and values, as of a record card. */
export function Facts({ entries }: { entries: readonly { label: string; value: ReactNode }[] }) {
  return (
    <dl className={classes.facts}>
      {entries.map(({ label, value }) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{value ?? <span className="quiet">–</span>}</dd>
        </div>
      ))}
    </dl>
  );
}

export { classes as panelClasses };
