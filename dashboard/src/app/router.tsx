import { createBrowserRouter } from 'react-router';
import { SignInPage } from '../pages/sign-in/sign-in-page';
import { Home } from './home';
import { Layout } from './layout';
import { CrashPage, MissingPage } from './fallback-pages';

export const router = createBrowserRouter([
  {
    errorElement: <CrashPage />,
    children: [
      { path: '/sign-in', element: <SignInPage /> },
      {
        element: <Layout />,
        children: [
          { index: true, element: <Home /> },
          {
            errorElement: <CrashPage />,
            children: [
              { path: 'leads', lazy: async () => ({ Component: (await import('../pages/leads/leads-page')).LeadsPage }) },
              { path: 'leads/:id', lazy: async () => ({ Component: (await import('../pages/leads/lead-page')).LeadPage }) },
              { path: 'imports', lazy: async () => ({ Component: (await import('../pages/imports/imports-page')).ImportsPage }) },
              { path: 'imports/refused', lazy: async () => ({ Component: (await import('../pages/imports/refused-page')).RefusedPage }) },
              { path: 'imports/:id', lazy: async () => ({ Component: (await import('../pages/imports/import-page')).ImportPage }) },
              { path: 'deliveries', lazy: async () => ({ Component: (await import('../pages/deliveries/deliveries-page')).DeliveriesPage }) },
              { path: 'sources', lazy: async () => ({ Component: (await import('../pages/sources/sources-page')).SourcesPage }) },
              { path: 'destinations', lazy: async () => ({ Component: (await import('../pages/destinations/destinations-page')).DestinationsPage }) },
              { path: 'billing', lazy: async () => ({ Component: (await import('../pages/billing/billing-page')).BillingPage }) },
              { path: 'billing/plans', lazy: async () => ({ Component: (await import('../pages/billing/plans-page')).PlansPage }) },
              { path: 'billing/partners/:id', lazy: async () => ({ Component: (await import('../pages/billing/period-page')).PeriodPage }) },
              { path: 'billing/reports/:id', lazy: async () => ({ Component: (await import('../pages/billing/report-page')).ReportPage }) },
              { path: '*', element: <MissingPage /> },
            ],
          },
        ],
      },
    ],
    HydrateFallback: () => null,
  },
]);
