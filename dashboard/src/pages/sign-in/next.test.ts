import { expect, it } from 'vitest';
import { safeNext } from './next';

it.each([
  [null, '/leads'], ['/imports?state=DONE', '/imports?state=DONE'], ['//evil.example', '/leads'],
  ['https://evil.example', '/leads'], ['/\\evil.example', '/leads'],
])('after signing in with next=%s goes to %s', (next, path) => {
  expect(safeNext(next)).toBe(path);
});
