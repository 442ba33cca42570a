import { Button, MultiSelect, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useMutation, useQuery } from 'urql';
import { useMay } from '../../app/session';
import { Confirm } from '../../components/confirm';
import { FormDrawer, messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { notifyDone, notifyError, succeeded } from '../../components/notify';
import { graphql } from '../../gql';
import type { TeamRow } from './teams-page';

const TeamChoicesDocument = graphql(`
  query TeamChoices { users { id name email } sources { id name } }
`);

const CreateTeamDocument = graphql(`
  mutation CreateTeam($name: String!) { createTeam(name: $name) { team { id } error { field code message } } }
`);

const UpdateTeamDocument = graphql(`
  mutation UpdateTeam($input: UpdateTeamInput!) { updateTeam(input: $input) { team { id name memberIds sourceIds } error { field code message } } }
`);

const RemoveTeamDocument = graphql(`
  mutation RemoveTeam($id: ID!) { removeTeam(id: $id) { error { message } } }
`);

/** Makes a team, or changes one. */
export function EditTeam({ team, onClose }: { team: TeamRow | null; onClose: () => void }) {
  const writes = useMay('teams:write');
  const people = useMay('users:read');
  const [{ data: choices }] = useQuery({ query: TeamChoicesDocument, pause: !people });
  const [name, setName] = useState(team?.name ?? '');
  const [members, setMembers] = useState<string[]>([...(team?.memberIds ?? [])]);
  const [sources, setSources] = useState<string[]>([...(team?.sourceIds ?? [])]);
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [removing, setRemoving] = useState(false);
  const [{ fetching: creating }, create] = useMutation(CreateTeamDocument);
  const [{ fetching: saving }, update] = useMutation(UpdateTeamDocument);
  const [{ fetching: deleting }, remove] = useMutation(RemoveTeamDocument);

  /** The id of the team, made first when it is new. */
  async function made(): Promise<string | null> {
    if (team) return team.id;
    const { data, error } = await create({ name: name.trim() });
    if (error) notifyError(error);
    if (data?.createTeam.error) setProblem(data.createTeam.error);
    return data?.createTeam.team?.id ?? null;
  }

  async function submit() {
    setProblem(null);
    const id = await made();
    if (id === null) return;
    const { data, error } = await update({ input: { id, name: name.trim(), memberIds: members, sourceIds: sources } });
    if (error) notifyError(error);
    if (data?.updateTeam.error) setProblem(data.updateTeam.error);
    if (!data?.updateTeam.team) return;
    notifyDone(`The team ${name} was saved.`);
    onClose();
  }

  async function removed() {
    if (!team) return;
    const done = succeeded(await remove({ id: team.id }), (data) => data.removeTeam);
    setRemoving(false);
    if (!done) return;
    notifyDone(`The team ${team.name} was removed.`);
    onClose();
  }

  return (
    <>
      <FormDrawer opened title={team?.name ?? 'New team'} action={team ? 'Save' : 'Create the team'} readOnly={!writes} busy={creating || saving} onSubmit={submit} onClose={onClose}>
        <OtherMessage error={problem} fields={['name']} />
        <TextInput label="Name" required data-autofocus readOnly={!writes} value={name} onChange={(event) => { setName(event.currentTarget.value); }} error={messageFor(problem, 'name')} />
        <MultiSelect
          label="Members" searchable disabled={!writes || !choices} value={members} onChange={setMembers}
          data={choices?.users.map((user) => ({ value: user.id, label: `${user.name} (${user.email})` })) ?? []}
        />
        <MultiSelect
          label="Sources" description="Whose leads the team works with" searchable disabled={!writes || !choices} value={sources} onChange={setSources}
          data={choices?.sources.map((source) => ({ value: source.id, label: source.name })) ?? []}
        />
        {team && writes && <div><Button variant="subtle" color="red" onClick={() => { setRemoving(true); }}>Remove this team</Button></div>}
      </FormDrawer>
      <Confirm opened={removing} title={`Remove ${team?.name ?? 'the team'}?`} action="Remove" danger busy={deleting} onConfirm={removed} onClose={() => { setRemoving(false); }}>
        Its people stay, and lose what they see through it.
      </Confirm>
    </>
  );
}
