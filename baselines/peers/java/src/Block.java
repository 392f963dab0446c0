import java.io.FileInputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;

/** What blocking costs others, sleeps, and timers: as case_progress.c, case_latency.c and case_timers.c. */
final class Block {
    private static final int STEPS = 700, LINE = 8, BIN_MS = 10;
    private static final int WARM_BINS = 150, BEFORE_BINS = 15, BLOCKED_BINS = 15, ENTERING_BINS = 150, PATIENCE = 20;
    private static final int SETTLING_BINS = 2;

    private Block() { }

    /** Pieces of work of about a microsecond, then the others' turn, until it is over. */
    private static final class Workers {
        final AtomicLongArray pieces;
        final CountDownLatch finished;
        volatile boolean over;
        volatile long sink;

        Workers(int n) {
            pieces = new AtomicLongArray(n * LINE);
            finished = new CountDownLatch(n);
            for (int i = 0; i < n; i++) {
                int mine = i * LINE;
                Thread.startVirtualThread(() -> work(mine));
            }
        }

        private void work(int mine) {
            long x = mine;
            while (!over) {
                for (int i = 0; i < STEPS; i++) x = x * 6364136223846793005L + 1;
                sink = x;
                pieces.setOpaque(mine, pieces.getOpaque(mine) + 1);
                Thread.yield();
            }
            finished.countDown();
        }

        long sum() {
            long sum = 0;
            for (int i = 0; i < pieces.length(); i += LINE) sum += pieces.getOpaque(i);
            return sum;
        }

        /** Pieces a second, over one bin. */
        long bin() throws InterruptedException {
            long before = sum(), from = System.nanoTime();
            Thread.sleep(BIN_MS);
            return (long) ((sum() - before) * 1e9 / (System.nanoTime() - from));
        }
    }

    private static void waitForEntries(Workers workers, AtomicInteger entered, int blockers, List<Long> bins)
        throws InterruptedException {
        int seen = 0;
        for (int i = 0, since = 0; i < ENTERING_BINS && since < PATIENCE; i++, since++) {
            bins.add(workers.bin());
            if (entered.get() == blockers) return;
            if (entered.get() != seen) since = 0;
            seen = entered.get();
        }
    }

    /**
     * Another virtual thread starts them, once the latch is open: the scheduler takes what comes from elsewhere only
     * when a carrier has nothing of its own, which yielding threads never let happen.
     */
    private static CountDownLatch startBlockers(int n, FileInputStream in, AtomicInteger entered, CountDownLatch over) {
        CountDownLatch block = new CountDownLatch(1);
        Thread.startVirtualThread(() -> {
            while (block.getCount() > 0) Thread.yield();
            for (int i = 0; i < n; i++) {
                Thread.startVirtualThread(() -> {
                    entered.incrementAndGet();
                    try {
                        in.read();
                    } catch (IOException e) {
                        throw new IllegalStateException(e);
                    }
                    over.countDown();
                });
            }
        });
        return block;
    }

    private static double median(List<Long> bins, int from, int n) {
        return Sheet.median(bins.subList(from, from + n).stream().mapToLong(Long::longValue).toArray());
    }

    /** Conducted by a thread of the platform. The call that blocks is a read of a named pipe. */
    private static void progressOnce(Options o, int rep, Path fifo) throws IOException, InterruptedException {
        try (RandomAccessFile writer = new RandomAccessFile(fifo.toFile(), "rw");
             FileInputStream reader = new FileInputStream(fifo.toFile())) {
            Workers workers = new Workers(2 * o.threads);
            AtomicInteger entered = new AtomicInteger();
            CountDownLatch over = new CountDownLatch(o.n);
            List<Long> bins = new ArrayList<>();
            CountDownLatch block = startBlockers(o.n, reader, entered, over);
            for (int i = 0; i < WARM_BINS; i++) workers.bin();
            for (int i = 0; i < BEFORE_BINS; i++) bins.add(workers.bin());
            block.countDown();
            waitForEntries(workers, entered, o.n, bins);
            for (int i = 0; i < SETTLING_BINS; i++) bins.add(workers.bin());
            int from = bins.size(), in = entered.get();
            for (int i = 0; i < BLOCKED_BINS; i++) bins.add(workers.bin());
            workers.over = true;
            writer.write(new byte[o.n]);
            Units.await(over);
            Units.await(workers.finished);
            long units = 2L * o.threads + o.n;
            Sheet s = new Sheet(o, "").counts(units, units, workers.sum());
            s.row(rep, "work_before", median(bins, 0, BEFORE_BINS));
            s.row(rep, "work_blocked", median(bins, from, BLOCKED_BINS));
            s.row(rep, "units_blocked", in);
            s.row(rep, "blocked_from_bin", from);
            s.samples(rep, "work_in_bin", bins.stream().mapToLong(Long::longValue).toArray());
        }
    }

    static boolean progress(Options o) {
        try {
            Path folder = Files.createTempDirectory("javabench"), fifo = folder.resolve("fifo");
            if (new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor() != 0)
                throw new IOException("mkfifo failed");
            try {
                for (int rep = 0; rep < o.reps; rep++) progressOnce(o, rep, fifo);
            } finally {
                Files.delete(fifo);
                Files.delete(folder);
            }
            return true;
        } catch (IOException | InterruptedException e) {
            return new Sheet(o, "").fail("work_blocked", e.toString());
        }
    }

    // ---- sleeps, timers --------------------------------------------------------------------------------------------

    private static void sleep(long ns) {
        try {
            Thread.sleep(Duration.ofNanos(ns));
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    static boolean lateness(Options o) {
        boolean busy = o.variant.equals("own-busy");
        if (!busy && !o.variant.equals("own")) throw Options.fail("--case=lateness --variant: use own or own-busy");
        int[][] sleeps = { { 50_000, 201 }, { 100_000, 201 }, { 1_000_000, 101 }, { 10_000_000, 21 } };
        for (int rep = 0; rep < o.reps; rep++) {
            for (int[] what : sleeps) {
                long[] samples = new long[what[1]];
                Workers workers = new Workers(busy ? o.threads : 0);
                Units.run(() -> {
                    for (int i = 0; i < samples.length; i++) {
                        long from = System.nanoTime();
                        sleep(what[0]);
                        samples[i] = System.nanoTime() - from;
                    }
                });
                workers.over = true;
                Units.await(workers.finished);
                Sheet s = new Sheet(o, o.variant).counts(1, 1, samples.length);
                s.n = what[0];
                s.samples(rep, "sleep_ns", samples);
            }
        }
        return true;
    }

    private static final long LEAST_NS = 2_000_000_000L, SPREAD_NS = 1_000_000_000L;
    private static final int KEPT = 1000;

    static boolean timers(Options o) {
        boolean objects = o.variant.equals("timer");
        if (!objects && !o.variant.equals("sleep")) throw Options.fail("--case=timers --variant: use timer or sleep");
        SplittableRandom random = new SplittableRandom(o.seed);
        AtomicLong fired = new AtomicLong();
        CountDownLatch over = new CountDownLatch(o.n);
        int every = Math.max(1, o.n / KEPT);
        long[] late = new long[(o.n + every - 1) / every], took = new long[1], early = new long[1];
        ScheduledThreadPoolExecutor executor = objects ? new ScheduledThreadPoolExecutor(1) : null;
        Sheet.stop();
        Units.run(() -> {
            long from = System.nanoTime();
            for (int i = 0; i < o.n; i++) {
                int mine = i;
                long delay = LEAST_NS + random.nextLong(SPREAD_NS), due = System.nanoTime() + delay;
                Runnable fire = () -> {
                    long now = System.nanoTime();
                    if (mine % every == 0) late[mine / every] = now - due;
                    fired.incrementAndGet();
                    over.countDown();
                };
                if (objects) {
                    executor.schedule(fire, delay, TimeUnit.NANOSECONDS);
                } else {
                    Thread.startVirtualThread(() -> {
                        sleep(due - System.nanoTime());
                        fire.run();
                    });
                }
            }
            took[0] = System.nanoTime() - from;
            early[0] = fired.get();
        });
        Sheet.stop();
        Units.await(over);
        Sheet.stop();
        if (objects) executor.shutdown();
        Sheet s = new Sheet(o, o.variant).counts(o.n, fired.get(), o.n);
        s.row(0, "ns_per_op", (double) took[0] / o.n);
        s.samples(0, "late_ns", late);
        s.row(0, "fired_early", early[0]);
        s.row(0, "units", fired.get());
        return true;
    }
}
