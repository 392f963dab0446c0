import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicLong;
import sun.misc.Signal;

/** The server of benches/server on virtual threads: blocking sockets, one virtual thread a connection. */
public final class Server {
    private static final int BUFFER = 1024, HEAD_LIMIT = 8 << 10, BODY_LIMIT = 64 << 10, BACKLOG = 16384;
    private static final String LENGTH = "content-length:", CLOSE = "connection: close";
    private static final byte[] ANSWER = bytes("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
        + "Content-Length: 13\r\n\r\nHello, world\n");
    private static final AtomicLong SERVED = new AtomicLong(), REFUSED = new AtomicLong(), OPEN = new AtomicLong();
    private static final AtomicLong CONNECTIONS = new AtomicLong(), TURNED_AWAY = new AtomicLong();
    private static int port, limit = 20000, timeout = 30;

    private Server() { }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    @SuppressWarnings("serial")
    private static final class Refusal extends Exception {
        final String status;

        Refusal(String status) {
            this.status = status;
        }
    }

    /** One connection: what was read and not yet used, and the stream it came from. */
    private static final class Requests {
        private final InputStream in;
        private byte[] data = new byte[BUFFER];
        private int begin, end;
        boolean last;

        Requests(InputStream in) {
            this.in = in;
        }

        private boolean more() throws IOException {
            if (begin > 0) {
                System.arraycopy(data, begin, data, 0, end - begin);
                end -= begin;
                begin = 0;
            }
            if (end == data.length) data = java.util.Arrays.copyOf(data, 2 * data.length);
            int n = in.read(data, end, data.length - end);
            end += Math.max(n, 0);
            return n > 0;
        }

        private int headEnd(int from) {
            for (int i = Math.max(from, begin); i + 3 < end; i++)
                if (data[i] == '\r' && data[i + 1] == '\n' && data[i + 2] == '\r' && data[i + 3] == '\n') return i + 4;
            return -1;
        }

        /** Whether the next request is here already, without reading. */
        boolean buffered() {
            return headEnd(begin) >= 0;
        }

        /** Takes the next request; false: there is none. */
        boolean next() throws IOException, Refusal {
            int head = headEnd(begin);
            while (head < 0) {
                int known = end - begin;
                if (known > HEAD_LIMIT) throw new Refusal("431 Request Header Fields Too Large");
                if (!more()) return false;
                head = headEnd(begin + Math.max(0, known - 3));
            }
            String text = new String(data, begin, head - begin, StandardCharsets.ISO_8859_1);
            begin = head;
            int body = parse(text);
            if (body > BODY_LIMIT) throw new Refusal("413 Payload Too Large");
            while (body > end - begin) {
                body -= end - begin;
                begin = end = 0;
                if (!more()) return false;
            }
            begin += body;
            return true;
        }

        /** The length of the body. */
        private int parse(String head) throws Refusal {
            int line = head.indexOf("\r\n");
            String[] words = head.substring(0, line).split(" ");
            if (words.length != 3 || !words[2].startsWith("HTTP/1.")) throw new Refusal("400 Bad Request");
            last = words[2].equals("HTTP/1.0");
            int length = 0;
            for (int from = line + 2; from < head.length() - 2; from = head.indexOf("\r\n", from) + 2) {
                if (head.regionMatches(true, from, CLOSE, 0, CLOSE.length())) last = true;
                if (!head.regionMatches(true, from, LENGTH, 0, LENGTH.length())) continue;
                try {
                    length = Integer.parseInt(head.substring(from + LENGTH.length(), head.indexOf("\r\n", from)).trim());
                } catch (NumberFormatException e) {
                    throw new Refusal("400 Bad Request");
                }
            }
            return length;
        }
    }

    private static void connection(Socket socket) {
        try (socket) {
            socket.setSoTimeout(timeout * 1000);
            OutputStream out = socket.getOutputStream();
            Requests requests = new Requests(socket.getInputStream());
            try {
                while (!requests.last && requests.next()) {
                    int complete = 1;
                    while (!requests.last && requests.buffered() && requests.next()) complete++;
                    SERVED.addAndGet(complete);
                    for (int i = 0; i < complete; i++) out.write(ANSWER);
                }
            } catch (Refusal refusal) {
                REFUSED.incrementAndGet();
                out.write(bytes("HTTP/1.1 " + refusal.status + "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"));
            }
        } catch (SocketTimeoutException e) {
            // silent for too long: closed
        } catch (IOException e) {
            // the other side is gone
        } finally {
            OPEN.decrementAndGet();
        }
    }

    private static void printCounts() {
        var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        System.out.printf("{\"served\": %d, \"refused\": %d, \"connections\": %d, \"turned_away\": %d, \"open\": %d, "
            + "\"cpu_ns\": %d, \"parser\": \"own\"}%n", SERVED.get(), REFUSED.get(), CONNECTIONS.get(),
            TURNED_AWAY.get(), OPEN.get(), system.getProcessCpuTime());
        System.out.flush();
    }

    private static void parse(String[] words) {
        for (int i = 0; i < words.length; i += 2) {
            try {
                int value = Integer.parseInt(words[i + 1]);
                switch (words[i]) {
                    case "--port" -> port = value;
                    case "--limit" -> limit = value;
                    case "--timeout" -> timeout = value;
                    case "--loops" -> { } // the scheduler has as many as -Djdk.virtualThreadScheduler.parallelism
                    default -> throw new NumberFormatException();
                }
            } catch (RuntimeException e) {
                System.err.println("server: '" + words[i] + "': use --port N --loops N --limit N --timeout SECONDS");
                Runtime.getRuntime().halt(2);
            }
        }
    }

    public static void main(String[] words) throws IOException {
        parse(words);
        Signal.handle(new Signal("USR1"), signal -> printCounts());
        Signal.handle(new Signal("TERM"), signal -> {
            printCounts();
            Runtime.getRuntime().halt(0);
        });
        ServerSocket listener = new ServerSocket();
        listener.setReuseAddress(true);
        listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), BACKLOG);
        System.out.println("listening " + listener.getLocalPort());
        System.out.flush();
        Thread.Builder.OfVirtual builder = Thread.ofVirtual();
        while (true) {
            Socket socket = listener.accept();
            if (OPEN.incrementAndGet() > limit) {
                OPEN.decrementAndGet();
                TURNED_AWAY.incrementAndGet();
                socket.close();
                continue;
            }
            CONNECTIONS.incrementAndGet();
            socket.setTcpNoDelay(true);
            builder.start(() -> connection(socket));
        }
    }
}
