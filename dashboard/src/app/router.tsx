import { createBrowserRouter } from 'react-router';
import { basename, frameLink } from '../lib/embedding';
import { SignInPage } from '../pages/sign-in/sign-in-page';
import { Home } from './home';
import { Layout } from './layout';
import { CrashPage, MissingPage } from './fallback-pages';

export const router = createBrowserRouter([
  {
    errorElement: <CrashPage />,
    children: [
      { path: '/sign-in', element: <SignInPage /> },
      { path: '/sla/compact', lazy: async () => ({ Component: (await import('../pages/sla/compact-page')).CompactPage }) },
      { path: '/invitation', lazy: async () => ({ Component: (await import('../pages/sign-in/invitation-page')).InvitationPage }) },
      { path: '/frame-sign-in', lazy: async () => ({ Component: (await import('../pages/frame/handover-page')).HandoverPage }) },
      {
        ...(frameLink === null ? { element: <Layout /> } : { lazy: async () => ({ Component: (await import('../pages/frame/frame-layout')).FrameLayout }) }),
        children: [
          // In a frame the link says which page it is.
          { index: true, element: frameLink === null ? <Home /> : null },
          {
            errorElement: <CrashPage />,
            children: [
              { path: 'leads', lazy: async () => ({ Component: (await import('../pages/leads/leads-page')).LeadsPage }) },
              { path: 'leads/:id', lazy: async () => ({ Component: (await import('../pages/leads/lead-page')).LeadPage }) },
              { path: 'imports', lazy: async () => ({ Component: (await import('../pages/imports/imports-page')).ImportsPage }) },
              { path: 'imports/refused', lazy: async () => ({ Component: (await import('../pages/imports/refused-page')).RefusedPage }) },
              { path: 'imports/:id', lazy: async () => ({ Component: (await import('../pages/imports/import-page')).ImportPage }) },
              { path: 'deliveries', lazy: async () => ({ Component: (await import('../pages/deliveries/deliveries-page')).DeliveriesPage }) },
              { path: 'deliveries/responses', lazy: async () => ({ Component: (await import('../pages/deliveries/responses-page')).ResponsesPage }) },
              { path: 'inbound', lazy: async () => ({ Component: (await import('../pages/reports/reports-page')).ReportsPage }) },
              { path: 'suppression', lazy: async () => ({ Component: (await import('../pages/suppression/suppression-page')).SuppressionPage }) },
              { path: 'failed', lazy: async () => ({ Component: (await import('../pages/failed/failed-page')).FailedPage }) },
              { path: 'alerts', lazy: async () => ({ Component: (await import('../pages/alerts/alerts-page')).AlertsPage }) },
              { path: 'reconciliation', lazy: async () => ({ Component: (await import('../pages/reconciliation/reconciliations-page')).ReconciliationsPage }) },
              { path: 'reconciliation/:id', lazy: async () => ({ Component: (await import('../pages/reconciliation/reconciliation-page')).ReconciliationPage }) },
              { path: 'sources', lazy: async () => ({ Component: (await import('../pages/sources/sources-page')).SourcesPage }) },
              { path: 'destinations', lazy: async () => ({ Component: (await import('../pages/destinations/destinations-page')).DestinationsPage }) },
              { path: 'billing', lazy: async () => ({ Component: (await import('../pages/billing/billing-page')).BillingPage }) },
              { path: 'billing/plans', lazy: async () => ({ Component: (await import('../pages/billing/plans-page')).PlansPage }) },
              { path: 'billing/partners/:id', lazy: async () => ({ Component: (await import('../pages/billing/period-page')).PeriodPage }) },
              { path: 'billing/reports/:id', lazy: async () => ({ Component: (await import('../pages/billing/report-page')).ReportPage }) },
              { path: 'sla', lazy: async () => ({ Component: (await import('../pages/sla/board-page')).BoardPage }) },
              { path: 'sla/executive', lazy: async () => ({ Component: (await import('../pages/sla/executive-page')).ExecutivePage }) },
              { path: 'sla/policies', lazy: async () => ({ Component: (await import('../pages/sla/policies-page')).PoliciesPage }) },
              { path: 'sla/calendars', lazy: async () => ({ Component: (await import('../pages/sla/calendars-page')).CalendarsPage }) },
              { path: 'sla/cases', lazy: async () => ({ Component: (await import('../pages/sla/cases-page')).CasesPage }) },
              { path: 'destinations/:id/crm', lazy: async () => ({ Component: (await import('../pages/destinations/crm-page')).CrmPage }) },
              { path: 'destinations/:id', lazy: async () => ({ Component: (await import('../pages/destinations/destination-page')).DestinationPage }) },
              {
                path: 'settings',
                lazy: async () => ({ Component: (await import('../pages/settings/settings-layout')).SettingsLayout }),
                children: [
                  { path: 'people', lazy: async () => ({ Component: (await import('../pages/settings/people-page')).PeoplePage }) },
                  { path: 'teams', lazy: async () => ({ Component: (await import('../pages/settings/teams-page')).TeamsPage }) },
                  { path: 'roles', lazy: async () => ({ Component: (await import('../pages/settings/roles-page')).RolesPage }) },
                  { path: 'sign-in', lazy: async () => ({ Component: (await import('../pages/settings/providers-page')).ProvidersPage }) },
                  { path: 'links', lazy: async () => ({ Component: (await import('../pages/settings/links-page')).LinksPage }) },
                  { path: 'keys', lazy: async () => ({ Component: (await import('../pages/settings/keys-page')).KeysPage }) },
                  { path: 'sessions', lazy: async () => ({ Component: (await import('../pages/settings/sessions-page')).SessionsPage }) },
                  { path: 'audit', lazy: async () => ({ Component: (await import('../pages/settings/audit-page')).AuditPage }) },
                  { path: 'embedding', lazy: async () => ({ Component: (await import('../pages/settings/embedding-page')).EmbeddingPage }) },
                ],
              },
              { path: '*', element: <MissingPage /> },
            ],
          },
        ],
      },
    ],
    HydrateFallback: () => null,
  },
], { basename });
