import { roleNames } from '../app/session';
import type { Role } from '../gql/graphql';

export { roleNames };

/** Roles that a person can have. */
export const personRoles: readonly Role[] = ['OWNER', 'ADMIN', 'MANAGER', 'AGENT', 'PARTNER'];

/** Roles that people of a domain may get without an invitation. */
export const joinRoles: readonly Role[] = ['AGENT', 'MANAGER'];

/** For a select. */
export function roleOptions(among: readonly Role[] = personRoles): { value: Role; label: string }[] {
  return among.map((value) => ({ value, label: roleNames[value] }));
}
