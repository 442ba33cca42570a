import { Navigate } from 'react-router';
import { useViewer } from './session';

/** Where each role's work begins. */
export function Home() {
  return <Navigate to={useViewer().role === 'PARTNER' ? '/billing' : '/leads'} replace />;
}
