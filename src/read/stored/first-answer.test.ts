import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstAnswer } from './first-answer.ts';

const never = () => new Promise<string>(() => {});
const fails = (message: string) => async (): Promise<string> => {
  throw new Error(message);
};

test('one after the other is asked until one answers, and the others are not asked', async () => {
  const errors: unknown[] = [];
  const asks = [fails('a'), fails('b'), async () => 'c', async () => assert.fail('asked in vain')];
  assert.equal(await firstAnswer(asks, (error) => errors.push((error as Error).message)), 'c');
  assert.deepEqual(errors, ['a', 'b']);
});

test('when all fail there is no answer, however many there are', async () => {
  assert.equal(await firstAnswer([fails('a')], () => {}), undefined);
  assert.equal(await firstAnswer([fails('a'), fails('b')], () => {}), undefined);
});

test('one that never answers is not waited for while the next one has the answer', async () => {
  assert.equal(await firstAnswer([never, async () => 'b'], () => {}, 0), 'b');
  assert.equal(await firstAnswer([never, fails('b'), async () => 'c'], () => {}, 0), 'c');
});

test('the answer of the first counts also when it comes after the next one was asked', async () => {
  let answer: (text: string) => void = () => {};
  const first = () => new Promise<string>((resolve) => (answer = resolve));
  const second = () => {
    setImmediate(() => answer('a'));
    return never();
  };
  assert.equal(await firstAnswer([first, second], () => {}, 0), 'a');
});

test('an error that is no failure of a peer ends it at once', async () => {
  const bug = (error: unknown) => {
    throw error;
  };
  await assert.rejects(firstAnswer([fails('a bug'), async () => assert.fail('asked')], bug), /a bug/);
  await assert.rejects(firstAnswer([fails('a bug')], bug), /a bug/);
});
