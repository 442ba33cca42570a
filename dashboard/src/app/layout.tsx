import { ActionIcon, Avatar, Drawer, Menu, Text, UnstyledButton, useMantineColorScheme, type MantineColorScheme } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import {
  IconAlertTriangle, IconBell, IconCheck, IconDeviceDesktop, IconFileImport, IconGauge, IconLogout, IconMenu2, IconMoon, IconPlugConnected, IconReceipt, IconScale, IconSelector, IconSend, IconSettings, IconSun, IconTarget,
  IconUsers, type Icon,
} from '@tabler/icons-react';
import { useEffect, useRef } from 'react';
import { NavLink, Outlet, ScrollRestoration, useLocation, useNavigate } from 'react-router';
import { useMutation } from 'urql';
import { Announcer } from '../components/announce';
import { graphql } from '../gql';
import { Brand } from './brand';
import classes from './layout.module.css';
import { RequireSession, roleNames, useRenewSession, useViewer } from './session';

const SignOutDocument = graphql(`
  mutation SignOut { signOut { ok } }
`);

const pages: readonly { to: string; label: string; icon: Icon }[] = [
  { to: '/leads', label: 'Leads', icon: IconUsers },
  { to: '/imports', label: 'Imports', icon: IconFileImport },
  { to: '/deliveries', label: 'Deliveries', icon: IconSend },
  { to: '/failed', label: 'Failed leads', icon: IconAlertTriangle },
  { to: '/alerts', label: 'Alerts', icon: IconBell },
  { to: '/sla', label: 'Service levels', icon: IconGauge },
  { to: '/reconciliation', label: 'Reconciliation', icon: IconScale },
  { to: '/sources', label: 'Sources', icon: IconPlugConnected },
  { to: '/destinations', label: 'Destinations', icon: IconTarget },
  { to: '/billing', label: 'Billing', icon: IconReceipt },
  { to: '/settings', label: 'Settings', icon: IconSettings },
];

function Navigation({ onGo }: { onGo?: () => void }) {
  // A partner's people see their billing and nothing else.
  const visible = useViewer().role === 'PARTNER' ? pages.filter(({ to }) => to === '/billing') : pages;
  return (
    <nav aria-label="Main" className={classes.nav}>
      {visible.map(({ to, label, icon: PageIcon }) => (
        <NavLink key={to} to={to} className={classes.link} onClick={onGo}>
          <PageIcon size={18} stroke={1.7} aria-hidden="true" />
          {label}
        </NavLink>
      ))}
    </nav>
  );
}

const schemes: readonly { value: MantineColorScheme; label: string; icon: Icon }[] = [
  { value: 'auto', label: 'As the system', icon: IconDeviceDesktop },
  { value: 'light', label: 'Light', icon: IconSun },
  { value: 'dark', label: 'Dark', icon: IconMoon },
];

function Account() {
  const viewer = useViewer();
  const renew = useRenewSession();
  const navigate = useNavigate();
  const [, signOut] = useMutation(SignOutDocument);
  const { colorScheme, setColorScheme } = useMantineColorScheme({ keepTransitions: true });

  async function leave() {
    await signOut({});
    await navigate('/sign-in');
    renew();
  }

  return (
    <Menu width={232} position="top-start" shadow="md">
      <Menu.Target>
        <UnstyledButton className={classes.account}>
          <span className="visually-hidden">Account</span>
          <Avatar size={32} radius="sm" color="petrol" name={viewer.name ?? viewer.email} aria-hidden="true" />
          <span className={classes.accountText}>
            <Text component="span" size="sm" fw={600} truncate>{viewer.tenant.name}</Text>
            <Text component="span" size="xs" c="dimmed" truncate>{viewer.name ?? viewer.email}</Text>
          </span>
          <IconSelector size={16} stroke={1.7} aria-hidden="true" />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{viewer.email} · {roleNames[viewer.role]}</Menu.Label>
        <Menu.Divider />
        <Menu.Label>Appearance</Menu.Label>
        {schemes.map(({ value, label, icon: SchemeIcon }) => (
          <Menu.Item
            key={value}
            role="menuitemradio"
            aria-checked={colorScheme === value}
            leftSection={<SchemeIcon size={16} stroke={1.7} aria-hidden="true" />}
            rightSection={colorScheme === value ? <IconCheck size={16} aria-hidden="true" /> : null}
            onClick={() => { setColorScheme(value); }}
          >
            {label}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item leftSection={<IconLogout size={16} stroke={1.7} aria-hidden="true" />} onClick={leave}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

/** Moves the focus to the new page's heading, as a full page load would. */
function useFocusOnNavigation() {
  const { pathname } = useLocation();
  const former = useRef(pathname);
  useEffect(() => {
    if (former.current === pathname) return;
    former.current = pathname;
    document.querySelector<HTMLElement>('main h1')?.focus();
  }, [pathname]);
}

function Frame() {
  const [open, { open: show, close }] = useDisclosure(false);
  useFocusOnNavigation();
  return (
    <div className={classes.shell}>
      <a href="#main" className={classes.skip}>Skip to the content</a>
      <header className={classes.topbar} aria-label="Top">
        <Brand />
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label="Open the menu" onClick={show}>
          <IconMenu2 size={20} stroke={1.7} />
        </ActionIcon>
      </header>
      <header className={classes.sidebar}>
        <div className={classes.sidebarStay}>
          <div className={classes.sidebarHead}><Brand /></div>
          <Navigation />
          <Account />
        </div>
      </header>
      <Drawer opened={open} onClose={close} title="Menu" position="left" size={280} closeButtonProps={{ 'aria-label': 'Close the menu' }}>
        <Navigation onGo={close} />
        <Account />
      </Drawer>
      <main id="main" className={classes.main} tabIndex={-1}>
        <Outlet />
      </main>
      <Announcer />
      <ScrollRestoration />
    </div>
  );
}

export function Layout() {
  return (
    <RequireSession>
      <Frame />
    </RequireSession>
  );
}
