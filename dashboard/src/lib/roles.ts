import type { Role } from '../gql/graphql';

/** Roles as people call them. */
export const roleLabels: Readonly<Record<Role, string>> = {
  ADMIN: 'Administrator',
  MEMBER: 'Member',
};

export const roles = Object.keys(roleLabels) as Role[];

/** For a select. */
export function roleOptions(among: readonly Role[] = roles): { value: Role; label: string }[] {
  return among.map((value) => ({ value, label: roleLabels[value] }));
}

/** Roles that people of a domain may get without an invitation. */
export const joinRoles: readonly Role[] = ['MEMBER'];
