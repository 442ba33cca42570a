import { createBrowserRouter, Navigate } from 'react-router';
import { SignInPage } from '../pages/sign-in/sign-in-page';
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
          { index: true, element: <Navigate to="/leads" replace /> },
          {
            errorElement: <CrashPage />,
            children: [
              { path: 'leads', lazy: async () => ({ Component: (await import('../pages/leads/leads-page')).LeadsPage }) },
              { path: 'leads/:id', lazy: async () => ({ Component: (await import('../pages/leads/lead-page')).LeadPage }) },
              { path: '*', element: <MissingPage /> },
            ],
          },
        ],
      },
    ],
    HydrateFallback: () => null,
  },
]);
