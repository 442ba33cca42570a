import { expect, it } from 'vitest';
import { contentType } from './upload';

it.each([
  ['experian.csv', 'text/csv'], ['LEADS.JSON', 'application/json'], ['npa.ndjson', 'application/x-ndjson'],
  ['npa.jsonl', 'application/x-ndjson'], ['experian.csv.gz', 'application/gzip'], ['no ending', 'text/csv'],
])('%s is sent as %s', (fileName, type) => {
  expect(contentType(fileName)).toBe(type);
});
