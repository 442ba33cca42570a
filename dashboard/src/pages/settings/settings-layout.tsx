import { Navigate, NavLink, Outlet, useLocation } from 'react-router';
import { useViewer } from '../../app/session';
import { PageHeader } from '../../components/page-header';
import { Panel } from '../../components/panel';
import { NotForYourRole } from '../../components/states';
import classes from './settings.module.css';

const tabs: readonly { to: string; label: string; right: string }[] = [
  { to: '/settings/people', label: 'Users', right: 'users:read' },
  { to: '/settings/teams', label: 'Teams', right: 'teams:read' },
  { to: '/settings/roles', label: 'Roles', right: 'settings:read' },
  { to: '/settings/sign-in', label: 'Sign-in', right: 'sign_in:read' },
  { to: '/settings/links', label: 'Resource links', right: 'links:read' },
  { to: '/settings/embedding', label: 'Embedding', right: 'sign_in:read' },
  { to: '/settings/keys', label: 'API keys', right: 'keys:read' },
  { to: '/settings/sessions', label: 'Sessions', right: 'own' },
  { to: '/settings/audit', label: 'Audit log', right: 'audit:read' },
];

/** In a narrow window the tabs scroll: the present one is brought into view. */
function intoView(tab: HTMLElement | null) {
  tab?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
}

/** The settings that the viewer may see; the first of them when none is asked for. */
export function SettingsLayout() {
  const { rights } = useViewer();
  const { pathname } = useLocation();
  const seen = tabs.filter(({ right }) => rights.includes(right));
  const asked = tabs.find(({ to }) => to === pathname);
  if (!asked && pathname === '/settings') return <Navigate to={seen[0]?.to ?? '/settings/sessions'} replace />;
  return (
    <>
      <PageHeader title="Settings" tab={asked ? `${asked.label}, settings` : 'Settings'} lead="Who may use Baton for your company, how they get in, and where its pages are shown." />
      <nav className={classes.tabs} aria-label="Settings">
        {seen.map(({ to, label }) => <NavLink key={to} to={to} ref={to === pathname ? intoView : undefined} className={classes.tab}>{label}</NavLink>)}
      </nav>
      {asked && !seen.includes(asked)
        ? <Panel><NotForYourRole /></Panel>
        : <Outlet />}
    </>
  );
}
