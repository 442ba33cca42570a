import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { codeMessage, codeOf, newHandshake } from './embedding';

it('the challenge is the SHA-256 of the verifier, and no two are alike', async () => {
  const [one, other] = [await newHandshake(), await newHandshake()];
  expect(one.challenge).toBe(createHash('sha256').update(one.verifier).digest('base64url'));
  expect(one.verifier).toHaveLength(43);
  expect(one.verifier).not.toBe(other.verifier);
});

it.each([
  ['https://baton.example', { type: codeMessage, code: 'ABC' }, 'ABC'],
  ['https://evil.example', { type: codeMessage, code: 'ABC' }, null],
  ['https://baton.example', { type: 'other', code: 'ABC' }, null],
  ['https://baton.example', { type: codeMessage, code: 7 }, null],
  ['https://baton.example', null, null],
])('a message of %s with %j tells the code %s', (origin, data, code) => {
  expect(codeOf({ origin, data } as MessageEvent<unknown>, 'https://baton.example')).toBe(code);
});
