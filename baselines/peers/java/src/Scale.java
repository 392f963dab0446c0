import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.function.LongUnaryOperator;

/** Programs of many virtual threads. */
final class Scale {
    private static final int CHILDREN = 10, FAN = 100, ROOM = 64;

    private Scale() { }

    private static void node(long first, long size, long[] sums, int slot, CountDownLatch joined) {
        if (size == 1) {
            sums[slot] = first;
        } else {
            long[] parts = new long[CHILDREN];
            CountDownLatch below = new CountDownLatch(CHILDREN);
            for (int i = 0; i < CHILDREN; i++) {
                int mine = i;
                Thread.startVirtualThread(
                    () -> node(first + mine * (size / CHILDREN), size / CHILDREN, parts, mine, below));
            }
            Units.await(below);
            long sum = 0;
            for (long part : parts) sum += part;
            sums[slot] = sum;
        }
        joined.countDown();
    }

    private static long skynet(long n) {
        long[] sum = new long[1];
        CountDownLatch joined = new CountDownLatch(1);
        Thread.startVirtualThread(() -> node(0, n, sum, 0, joined));
        Units.await(joined);
        return sum[0];
    }

    private static void sender(long first, long size, ArrayBlockingQueue<Long> parent) {
        try {
            long sum = first;
            if (size > 1) {
                ArrayBlockingQueue<Long> below = new ArrayBlockingQueue<>(CHILDREN);
                for (int i = 0; i < CHILDREN; i++) {
                    long from = first + i * (size / CHILDREN);
                    Thread.startVirtualThread(() -> sender(from, size / CHILDREN, below));
                }
                sum = 0;
                for (int i = 0; i < CHILDREN; i++) sum += below.take();
            }
            parent.put(sum);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static long skynetChan(long n) {
        ArrayBlockingQueue<Long> top = new ArrayBlockingQueue<>(1);
        Thread.startVirtualThread(() -> sender(0, n, top));
        return take(top);
    }

    private static long take(ArrayBlockingQueue<Long> queue) {
        try {
            return queue.take();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void put(ArrayBlockingQueue<Long> queue, long word) {
        try {
            queue.put(word);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static long fan(long n) {
        ArrayBlockingQueue<Long> out = new ArrayBlockingQueue<>(ROOM), in = new ArrayBlockingQueue<>(ROOM);
        for (int i = 0; i < FAN; i++) {
            Thread.startVirtualThread(() -> {
                for (long word = take(out); word >= 0; word = take(out)) put(in, word + 1);
            });
        }
        Thread.startVirtualThread(() -> {
            for (long i = 0; i < n; i++) put(out, i);
            for (int i = 0; i < FAN; i++) put(out, -1); // a queue is not closed
        });
        long sum = 0;
        for (long i = 0; i < n; i++) sum += take(in);
        return sum;
    }

    private static long timed(LongUnaryOperator program, long n, long[] result) {
        long[] ns = new long[1];
        Units.run(() -> {
            long from = System.nanoTime();
            result[0] = program.applyAsLong(n);
            ns[0] = System.nanoTime() - from;
        });
        return ns[0];
    }

    static boolean scale(Options o) {
        boolean fan = o.variant.equals("fan");
        LongUnaryOperator program = switch (o.variant) {
            case "skynet" -> Scale::skynet;
            case "skynet-chan" -> Scale::skynetChan;
            case "fan" -> Scale::fan;
            default -> throw Options.fail("--case=scale --variant: use skynet, skynet-chan or fan");
        };
        long n = o.n != 0 ? o.n : fan ? 100_000 : 1_000_000, ops = n;
        if (!fan) {
            ops = 1;
            for (long level = n; level > 1; level /= CHILDREN) ops += level;
        }
        long expected = fan ? n * (n + 1) / 2 : n * (n - 1) / 2;
        long[] result = new long[1];
        for (int rep = 0; rep < o.reps; rep++) {
            for (long until = System.nanoTime() + Units.COMPILE_NS; System.nanoTime() < until;)
                timed(program, n, result);
            long ns = timed(program, n, result);
            Sheet s = new Sheet(o, o.variant).counts(0, 0, ops);
            s.n = n;
            if (result[0] != expected) return s.fail("ns_per_op", "the result is " + result[0] + ", not " + expected);
            s.row(rep, "ns_per_op", (double) ns / ops);
        }
        return true;
    }
}
