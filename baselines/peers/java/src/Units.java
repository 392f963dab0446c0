import java.util.concurrent.CountDownLatch;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.IntFunction;

/** The cases of parked, started and switched virtual threads, as one writes them in Java. */
final class Units {
    static final long SAMPLE_NS = 10_000_000, WARM_UP_NS = 5_000_000;
    /** Before anything is timed: the compiler works in the background, on the same processors. */
    static final long COMPILE_NS = 500_000_000;
    private static final int PILOT_OPS = 1000, WARM_UP_OPS = 64;

    private Units() { }

    static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Runs it on a virtual thread, as all that is measured, and waits for it. */
    static void run(Runnable work) {
        try {
            Thread.startVirtualThread(work).join();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    // ---- memory, spawn ---------------------------------------------------------------------------------------------

    static boolean memory(Options o) {
        AtomicInteger ran = new AtomicInteger();
        CountDownLatch arrived = new CountDownLatch(o.n), finished = new CountDownLatch(o.n);
        CountDownLatch gate = new CountDownLatch(1);
        run(() -> { });
        Sheet.stop();
        run(() -> {
            for (int i = 0; i < o.n; i++) {
                Thread.startVirtualThread(() -> {
                    ran.incrementAndGet();
                    arrived.countDown();
                    await(gate);
                    finished.countDown();
                });
            }
            await(arrived);
        });
        if (o.tuned()) System.gc();
        Sheet.stop();
        gate.countDown();
        await(finished);
        Sheet.stop();
        new Sheet(o, "").counts(o.n, ran.get(), 0).row(0, "units", ran.get());
        return true;
    }

    /** Nanoseconds of one round. */
    private static long spawnRound(byte[] marks) {
        long[] took = new long[1];
        java.util.Arrays.fill(marks, (byte) 0);
        run(() -> {
            CountDownLatch finished = new CountDownLatch(marks.length);
            long from = System.nanoTime();
            for (int i = 0; i < marks.length; i++) {
                int mine = i;
                Thread.startVirtualThread(() -> {
                    marks[mine]++;
                    finished.countDown();
                });
            }
            await(finished);
            took[0] = System.nanoTime() - from;
        });
        return took[0];
    }

    static boolean spawn(Options o) {
        byte[] marks = new byte[o.n];
        for (int rep = -1; rep < o.reps && o.turnComes(); rep++) {
            Sheet s = new Sheet(o, rep < 0 ? "cold" : "warm");
            long asked = o.n, until = System.nanoTime() + (rep == 0 ? COMPILE_NS : WARM_UP_NS);
            for (; rep >= 0 && System.nanoTime() < until; asked += o.n) spawnRound(marks);
            long ns = spawnRound(marks), ran = 0;
            for (byte mark : marks) ran += mark;
            s.counts(asked, asked, o.n);
            if (ran != o.n) return s.fail("ns_per_op", ran + " of " + o.n + " units did their work");
            s.row(Math.max(rep, 0), "ns_per_op", (double) ns / o.n);
        }
        return true;
    }

    // ---- two threads -----------------------------------------------------------------------------------------------

    private record Passed(long ns, long ops) { }

    private static boolean timedPairs(Options o, String variant, IntFunction<Passed> pair) {
        for (long until = System.nanoTime() + COMPILE_NS; System.nanoTime() < until;) pair.apply(PILOT_OPS);
        int n = o.n;
        if (n == 0) {
            Passed pilot = pair.apply(PILOT_OPS);
            n = (int) Math.max(PILOT_OPS, SAMPLE_NS * (double) PILOT_OPS / (pilot.ns + 1));
        }
        for (int rep = 0; rep < o.reps && o.turnComes(); rep++) {
            Passed passed = pair.apply(n);
            Sheet s = new Sheet(o, variant).counts(2, 2, passed.ops);
            s.n = 2L * n;
            if (passed.ops == 0) return s.fail("ns_per_op", "the units counted no operation, or a word came over wrong");
            s.row(rep, "ns_per_op", (double) passed.ns / passed.ops);
        }
        return true;
    }

    private static final class Turns {
        final AtomicInteger started = new AtomicInteger(), ended = new AtomicInteger();
        final AtomicLong from = new AtomicLong(), to = new AtomicLong(), passed = new AtomicLong();
        int last; // one carrier: no atomics needed
    }

    private static void yieldSide(Turns t, int me, int n) {
        for (long until = System.nanoTime() + WARM_UP_NS; System.nanoTime() < until;)
            for (int i = 0; i < WARM_UP_OPS; i++) Thread.yield();
        t.started.incrementAndGet();
        while (t.started.get() < 2) Thread.yield();
        t.from.compareAndSet(0, System.nanoTime());
        long mine = 0;
        for (int i = 0; i < n; i++) {
            if (t.last != me) {
                t.last = me;
                mine++;
            }
            Thread.yield();
        }
        t.passed.addAndGet(mine);
        if (t.ended.incrementAndGet() == 1) t.to.set(System.nanoTime());
    }

    static boolean yields(Options o) {
        return timedPairs(o, "", n -> {
            Turns t = new Turns();
            run(() -> {
                CountDownLatch both = new CountDownLatch(2);
                for (int side = 1; side <= 2; side++) {
                    int me = side;
                    Thread.startVirtualThread(() -> {
                        yieldSide(t, me, n);
                        both.countDown();
                    });
                }
                await(both);
            });
            return new Passed(t.to.get() - t.from.get(), t.passed.get());
        });
    }

    private static final Long GAME_OVER = -1L;

    private static long ping(SynchronousQueue<Long> there, SynchronousQueue<Long> back, int words)
        throws InterruptedException {
        long errors = 0;
        for (long i = 0; i < words; i++) {
            there.put(i);
            if (back.take() != i + 1) errors++;
        }
        return errors;
    }

    private static Passed pingPong(int n) {
        SynchronousQueue<Long> there = new SynchronousQueue<>(), back = new SynchronousQueue<>();
        long[] result = new long[3]; // nanoseconds, words of the other side, errors
        CountDownLatch over = new CountDownLatch(1);
        run(() -> {
            Thread.startVirtualThread(() -> {
                try {
                    for (Long word = there.take(); !word.equals(GAME_OVER); word = there.take()) {
                        back.put(word + 1);
                        result[1]++;
                    }
                } catch (InterruptedException e) {
                    result[2]++;
                }
                over.countDown();
            });
            try {
                long warm = 0;
                for (long until = System.nanoTime() + WARM_UP_NS; System.nanoTime() < until; warm += WARM_UP_OPS)
                    result[2] += ping(there, back, WARM_UP_OPS);
                long from = System.nanoTime(), errors = ping(there, back, n);
                result[0] = System.nanoTime() - from;
                there.put(GAME_OVER);
                await(over);
                result[1] -= warm;
                result[2] += errors;
            } catch (InterruptedException e) {
                result[2]++;
            }
        });
        return new Passed(result[0], result[2] > 0 ? 0 : n + result[1]);
    }

    static boolean handover(Options o) {
        return timedPairs(o, o.threads == 1 ? "same" : "across", Units::pingPong);
    }

    // ---- deep recursion --------------------------------------------------------------------------------------------

    private static final int FRAME = 64, WARM_CALLS = 200_000;

    private static int down(int calls) {
        return calls == 0 ? 0 : down(calls - 1) + 1;
    }

    /** As many calls as others make through frames of 64 bytes; how large these here are is the compiler's affair. */
    static boolean descent(Options o) {
        int calls = Math.max(1, o.depth / FRAME), each = calls + 1, times = WARM_CALLS / each + 1;
        long[] first = new long[1], warm = new long[o.reps];
        long[] made = new long[1];
        String[] why = new String[1];
        run(() -> {
            try {
                long from = System.nanoTime();
                made[0] = down(calls);
                first[0] = System.nanoTime() - from;
                for (long until = System.nanoTime() + COMPILE_NS; System.nanoTime() < until;) down(calls);
                for (int rep = 0; rep < o.reps; rep++) {
                    from = System.nanoTime();
                    for (int i = 0; i < times; i++) made[0] += down(calls);
                    warm[rep] = System.nanoTime() - from;
                }
            } catch (StackOverflowError e) {
                why[0] = "StackOverflowError: -Xss bounds the stack of a virtual thread";
            }
        });
        Sheet s = new Sheet(o, "first").counts(1, 1, each).depth(o.depth);
        s.n = each;
        if (why[0] != null) return s.fail("ns_per_op", why[0]);
        if (made[0] != (long) calls * (1 + (long) times * o.reps))
            return s.fail("ns_per_op", "the recursion made " + made[0] + " calls");
        s.row(0, "ns_per_op", (double) first[0] / each);
        s.variant = "warm";
        s.ops = (long) each * times;
        for (int rep = 0; rep < o.reps; rep++) s.row(rep, "ns_per_op", (double) warm[rep] / s.ops);
        return true;
    }
}
