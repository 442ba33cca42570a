import { PageHeader } from '../../components/page-header';
import { RefusedRecords } from './refused-records';

/** Refused records of every way in, also of those that came without a file. */
export function RefusedPage() {
  return (
    <>
      <PageHeader
        title="Refused records" back={{ to: '/imports', label: 'Imports' }}
        lead="Records that could not become leads, whichever way they came. Correct one and it is sent through the rules again."
      />
      <RefusedRecords />
    </>
  );
}
