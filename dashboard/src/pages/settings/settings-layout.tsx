import { IconLock } from '@tabler/icons-react';
import { NavLink, Outlet } from 'react-router';
import { useIsAdmin } from '../../app/session';
import { PageHeader } from '../../components/page-header';
import { Panel } from '../../components/panel';
import { EmptyState } from '../../components/states';
import classes from './settings.module.css';

const tabs: readonly { to: string; label: string }[] = [
  { to: '/settings/sign-in', label: 'Sign-in' },
  { to: '/settings/links', label: 'Resource links' },
  { to: '/settings/embedding', label: 'Embedding' },
];

export function SettingsLayout() {
  const admin = useIsAdmin();
  return (
    <>
      <PageHeader title="Settings" lead="Who may use Baton for your company, how they get in, and where its pages are shown." />
      {admin ? (
        <>
          <nav className={classes.tabs} aria-label="Settings">
            {tabs.map(({ to, label }) => <NavLink key={to} to={to} className={classes.tab}>{label}</NavLink>)}
          </nav>
          <Outlet />
        </>
      ) : (
        <Panel><EmptyState icon={IconLock} title="For administrators" detail="Your role does not include the settings of your company." /></Panel>
      )}
    </>
  );
}
