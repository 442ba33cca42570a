import { Alert, Button, Progress, Select, Text } from '@mantine/core';
import { Dropzone } from '@mantine/dropzone';
import { IconAlertCircle, IconFileUpload, IconUpload, IconX } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';
import { Link } from 'react-router';
import { useQuery } from 'urql';
import { announce } from '../../components/announce';
import { OutcomeBar } from '../../components/counts-bar';
import { Panel } from '../../components/panel';
import { importStates, Status } from '../../components/status';
import { graphql } from '../../gql';
import { formatBytes, formatShare, plural } from '../../lib/format';
import classes from './imports.module.css';
import { isOver, useImport } from './progress';
import { upload } from './upload';

const UploadSourcesDocument = graphql(`
  query UploadSources { sources { id slug name kind enabled } }
`);

interface Job {
  key: number;
  fileName: string;
  fileBytes: number;
  bytesSent: number;
  importId?: string;
  problem?: string;
  abort: () => void;
}

/** Uploads run beside each other; each is a job that becomes an import once the file is across. */
function useUploads(onReceived: () => void) {
  const [jobs, setJobs] = useState<readonly Job[]>([]);
  const counter = useRef(0);
  const change = (key: number, changes: Partial<Job>) => {
    setJobs((former) => former.map((job) => (job.key === key ? { ...job, ...changes } : job)));
  };
  const start = (slug: string, file: File) => {
    counter.current += 1;
    const key = counter.current;
    const { done, abort } = upload(slug, file, (bytesSent) => { change(key, { bytesSent }); });
    setJobs((former) => [{ key, fileName: file.name, fileBytes: file.size, bytesSent: 0, abort }, ...former]);
    done.then((importId) => {
      change(key, { importId });
      announce(`${file.name} was received and is being imported.`);
      onReceived();
    }, (reason: unknown) => {
      const problem = reason instanceof Error ? reason.message : 'The upload failed.';
      change(key, { problem });
      announce(`${file.name}: ${problem}`);
    });
  };
  return { jobs, start };
}

export function UploadPanel({ onChange }: { onChange: () => void }) {
  const [{ data }] = useQuery({ query: UploadSourcesDocument });
  const [chosen, setChosen] = useState<string | null>(null);
  const [missing, setMissing] = useState(false);
  const { jobs, start } = useUploads(onChange);
  const sources = (data?.sources ?? []).filter(({ enabled }) => enabled);
  const slug = chosen ?? (sources.length === 1 ? sources[0]?.slug ?? null : null);

  function take(files: File[]) {
    if (!slug) {
      setMissing(true);
      return;
    }
    for (const file of files) start(slug, file);
  }

  return (
    <Panel title="Import a file" detail="CSV, JSON or NDJSON, also gzipped. Importing a file twice changes nothing.">
      <div className={classes.upload}>
        <Select
          label="Source" description="Its rules read the file" placeholder="Choose the source" value={slug} allowDeselect={false}
          data={sources.map((source) => ({ value: source.slug, label: source.name }))} error={missing ? 'Choose the source before the file.' : null}
          onChange={(value) => { setChosen(value); setMissing(false); }}
        />
        <Dropzone
          className={classes.drop} onDrop={take} multiple aria-label="Files to import: drop them here, or press Enter to choose"
          inputProps={{ 'aria-label': 'Files to import' }} enablePointerEvents
        >
          <div className={classes.dropInner}>
            <IconFileUpload size={30} stroke={1.4} aria-hidden="true" />
            <div>
              <Text fw={600}>Drop files here, or choose them</Text>
              <Text size="sm" c="dimmed">{slug ? 'The import starts at once' : 'Choose the source first'}</Text>
            </div>
          </div>
        </Dropzone>
      </div>
      {jobs.length > 0 && (
        <ul className={classes.jobs} aria-label="Uploads">
          {jobs.map((job) => (
            <li key={job.key}>
              {job.importId ? <LiveImport id={job.importId} onEnd={onChange} /> : <Sending job={job} />}
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Sending({ job }: { job: Job }) {
  if (job.problem) {
    return (
      <Alert color="red" variant="light" icon={<IconAlertCircle aria-hidden="true" />} title={`${job.fileName} was not imported`}>
        {job.problem}
      </Alert>
    );
  }
  const share = job.fileBytes === 0 ? 100 : (job.bytesSent / job.fileBytes) * 100;
  return (
    <div className={classes.job}>
      <IconUpload size={16} aria-hidden="true" />
      <span className={classes.jobName}>{job.fileName}</span>
      <span className="quiet">Uploading {formatBytes(job.bytesSent)} of {formatBytes(job.fileBytes)}</span>
      <Button size="compact-xs" variant="default" leftSection={<IconX size={12} aria-hidden="true" />} onClick={job.abort}>Stop</Button>
      <Progress className={classes.jobBar} value={share} aria-label={`Upload of ${job.fileName}`} size="sm" />
    </div>
  );
}

function LiveImport({ id, onEnd }: { id: string; onEnd: () => void }) {
  const { latest, running } = useImport(id);
  const state = latest?.state;
  const summary = latest && `${latest.fileName}: ${importStates[latest.state].label}, ${plural(latest.records, 'record')}, ${latest.rejected} refused.`;
  const told = useRef(false);
  useEffect(() => {
    if (!state || !isOver(state) || told.current) return;
    told.current = true;
    announce(summary ?? '');
    onEnd();
  }, [state, summary, onEnd]);
  if (!latest) return null;
  return (
    <div className={classes.job}>
      <Status {...importStates[latest.state]} />
      <Link to={`/imports/${id}`} className={classes.jobName}>{latest.fileName}</Link>
      <span className="quiet">
        {running ? `${formatShare(latest.bytesRead, latest.fileBytes)} read, ` : ''}{plural(latest.records, 'record')}
        {latest.rejected > 0 && `, ${plural(latest.rejected, 'refused', 'refused')}`}
      </span>
      <div className={classes.jobBar}>
        {running
          ? <Progress value={(latest.bytesRead / Math.max(1, latest.fileBytes)) * 100} aria-label={`Import of ${latest.fileName}`} size="sm" />
          : <OutcomeBar counts={latest} slim />}
      </div>
    </div>
  );
}
