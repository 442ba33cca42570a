import { ActionIcon, Avatar, Drawer, Menu, Text, UnstyledButton, useMantineColorScheme, type MantineColorScheme } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import {
  IconAlertTriangle, IconBell, IconCheck, IconDeviceDesktop, IconFileImport, IconGauge, IconLogout, IconMenu2, IconMessageReport, IconMoon, IconPhoneOff, IconPlugConnected, IconReceipt, IconScale, IconSelector, IconSend, IconSettings, IconSun, IconTarget,
  IconUsers, type Icon,
} from '@tabler/icons-react';
import { useEffect, useRef } from 'react';
import { NavLink, Outlet, ScrollRestoration, useLocation, useNavigate } from 'react-router';
import { useMutation } from 'urql';
import { Announcer } from '../components/announce';
import { PageHeader } from '../components/page-header';
import { NotForYourRole } from '../components/states';
import { graphql } from '../gql';
import { Brand } from './brand';
import classes from './layout.module.css';
import { RequireSession, roleNames, useRenewSession, useViewer } from './session';

const SignOutDocument = graphql(`
  mutation SignOut { signOut { ok } }
`);

/** The pages, each with the right that it needs. */
const pages: readonly { to: string; label: string; icon: Icon; right: string }[] = [
  { to: '/leads', label: 'Leads', icon: IconUsers, right: 'leads:read' },
  { to: '/imports', label: 'Imports', icon: IconFileImport, right: 'imports:read' },
  { to: '/deliveries', label: 'Deliveries', icon: IconSend, right: 'deliveries:read' },
  { to: '/failed', label: 'Failed leads', icon: IconAlertTriangle, right: 'tracking:read' },
  { to: '/inbound', label: 'Reports', icon: IconMessageReport, right: 'tracking:read' },
  { to: '/suppression', label: 'Do not contact', icon: IconPhoneOff, right: 'tracking:read' },
  { to: '/alerts', label: 'Alerts', icon: IconBell, right: 'alerts:read' },
  { to: '/sla', label: 'Service levels', icon: IconGauge, right: 'sla:read' },
  { to: '/reconciliation', label: 'Reconciliation', icon: IconScale, right: 'reconciliation:read' },
  { to: '/sources', label: 'Sources', icon: IconPlugConnected, right: 'sources:read' },
  { to: '/destinations', label: 'Destinations', icon: IconTarget, right: 'destinations:read' },
  { to: '/billing', label: 'Billing', icon: IconReceipt, right: 'billing:read' },
  { to: '/settings', label: 'Settings', icon: IconSettings, right: 'own' },
];

function Navigation({ onGo }: { onGo?: () => void }) {
  const { rights } = useViewer();
  const visible = pages.filter(({ right }) => rights.includes(right));
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

/** The page of this address, or a word about the role that does not include it. */
function Page() {
  const { rights } = useViewer();
  const { pathname } = useLocation();
  const page = pages.find(({ to }) => pathname === to || pathname.startsWith(`${to}/`));
  if (!page || rights.includes(page.right)) return <Outlet />;
  return (
    <>
      <PageHeader title={page.label} />
      <NotForYourRole />
    </>
  );
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
        <Page />
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
