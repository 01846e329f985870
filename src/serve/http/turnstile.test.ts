import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import fc from 'fast-check';
import { BODY_WAITS } from '../body/send.ts';
import { Turnstile } from './turnstile.ts';

/** As much of a response as the turnstile looks at. */
class Answer extends EventEmitter {
  readonly req = { destroyed: false };
  readonly headersSent = false;
  closed = false;

  leave(): void {
    this.closed = true;
    this.req.destroyed = true;
    this.emit('close');
  }
}

test('as many as there are places are worked on, in the order in which they came, and whoever has left is not', () => {
  const step = fc.oneof(
    fc.constant({ kind: 'come' as const, at: 0 }),
    fc.record({ kind: fc.constantFrom('leave' as const, 'wait' as const), at: fc.nat(1000) }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), (places, steps) => {
      const handled: Answer[] = [];
      const turnstile = new Turnstile(
        places,
        (_request, response) => void handled.push(response as unknown as Answer),
        () => false,
      );
      // The model: lists that are searched each time.
      const here: Answer[] = [];
      let inside: Answer[] = [];
      let waiting: Answer[] = [];
      const expected: Answer[] = [];
      const letIn = () => {
        while (inside.length < places && waiting.length > 0) {
          const next = waiting.shift() as Answer;
          if (next.closed) continue;
          inside.push(next);
          expected.push(next);
        }
      };
      for (const { kind, at } of steps) {
        if (kind === 'come') {
          const answer = new Answer();
          here.push(answer);
          waiting.push(answer);
          turnstile.enter(answer.req as never, answer as unknown as ServerResponse);
        } else {
          const answer = here[at % Math.max(1, here.length)];
          if (answer === undefined || answer.closed) continue;
          if (kind === 'leave') answer.leave();
          else answer.emit(BODY_WAITS);
          if (kind === 'leave' || inside.includes(answer)) inside = inside.filter((other) => other !== answer);
          if (kind === 'leave') waiting = waiting.filter((other) => other !== answer);
        }
        letIn();
        assert.deepEqual(handled, expected);
      }
      for (const answer of here) answer.leave();
    }),
  );
});
