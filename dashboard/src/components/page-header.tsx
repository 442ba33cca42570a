import { Title } from '@mantine/core';
import { IconChevronLeft } from '@tabler/icons-react';
import { useEffect, type ReactNode } from 'react';
import { Link } from 'react-router';
import classes from './page-header.module.css';

interface Props {
  title: string;
  /** What the browser's tab says when it is not the title; a person's name stays out of the history. */
  tab?: string;
  lead?: ReactNode;
  /** The list that this page belongs to. */
  back?: { to: string; label: string };
  badge?: ReactNode;
  children?: ReactNode;
}

/** The heading of a page, its one h1, which takes the focus after a navigation. */
export function PageHeader({ title, tab, lead, back, badge, children }: Props) {
  useEffect(() => {
    document.title = `${tab ?? title} · Baton`;
  }, [title, tab]);
  return (
    <header className={classes.header}>
      <div className={classes.text}>
        {back && (
          <Link to={back.to} className={classes.back}>
            <IconChevronLeft size={15} aria-hidden="true" />
            {back.label}
          </Link>
        )}
        <div className={classes.titleRow}>
          <Title order={1} tabIndex={-1}>{title}</Title>
          {badge}
        </div>
        {lead && <div className={classes.lead}>{lead}</div>}
      </div>
      {children && <div className={classes.actions}>{children}</div>}
    </header>
  );
}
