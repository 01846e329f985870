import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CountedViews } from './counted-views.ts';

interface View {
  readonly number: number;
}

test('a view is closed exactly when it is not the newest and nobody uses it, and once', () => {
  const step = fc.oneof(
    fc.constant({ do: 'acquire' as const }),
    fc.record({ do: fc.constant('release' as const), which: fc.nat() }),
    fc.constant({ do: 'replace' as const }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const closed: number[] = [];
      const all: View[] = [{ number: 0 }];
      const views = new CountedViews(all[0] as View, (view) => void closed.push(view.number));
      const users: View[] = [];
      for (const taken of steps) {
        if (taken.do === 'acquire') users.push(views.acquire());
        else if (taken.do === 'replace') {
          all.push({ number: all.length });
          views.replace(all.at(-1) as View);
        } else if (users.length > 0) views.release(users.splice(taken.which % users.length, 1)[0] as View);
        assert.equal(views.newest, all.at(-1));
        const expected = all.filter((view) => view !== all.at(-1) && !users.includes(view)).map(({ number }) => number);
        assert.deepEqual(
          closed.toSorted((a, b) => a - b),
          expected,
        );
      }
      views.closeAll();
      assert.deepEqual(
        closed.toSorted((a, b) => a - b),
        all.map(({ number }) => number),
      );
      // Whoever comes late, when all are closed, is told of it by what he reads.
      for (const view of users) views.release(view);
      assert.equal(closed.length, all.length);
    }),
  );
});
