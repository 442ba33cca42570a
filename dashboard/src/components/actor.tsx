import { useQuery } from 'urql';
import { useMay, useViewer } from '../app/session';
import { graphql } from '../gql';

const ActorsDocument = graphql(`
  query Actors { users { id name email } }
`);

/**
 * Names for those who did something. Users are known by id: their names are shown to who may see the users, and to others
 * what kind of actor it was. Anything else is called by the name that it has already.
 */
export function useActorName(): (actor: string) => string {
  const viewer = useViewer();
  const [{ data }] = useQuery({ query: ActorsDocument, pause: !useMay('users:read') });
  return (actor) => {
    if (actor === viewer.id) return viewer.name ?? viewer.email;
    const known = data?.users.find(({ id }) => id === actor);
    if (known) return known.name || known.email;
    if (actor.startsWith('user_')) return 'A user';
    return actor.startsWith('key_') ? 'A program' : actor;
  };
}
