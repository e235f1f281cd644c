// Writes what golden_log_test.cpp compares with: a log as Apache Kafka's own classes leave it after a life that
// golden_log_test.cpp tells in the same words, and a segment of all message formats.
//   java -cp 'kafka-4.3.1/libs/*' GoldenLog.java DIRECTORY
import java.io.File;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.*;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.Timer;
import org.apache.kafka.server.common.RequestLocal;
import org.apache.kafka.server.util.KafkaScheduler;
import org.apache.kafka.storage.internals.log.*;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

public class GoldenLog {
    static final long T0 = 1_700_000_000_000L;

    static class SetTime implements Time {
        public long milliseconds() { return T0; }
        public long hiResClockMs() { return T0; }
        public long nanoseconds() { return T0 * 1_000_000L; }
        public void sleep(long ms) { }
        public void waitObject(Object obj, Supplier<Boolean> condition, long deadlineMs) { }
        public Timer timer(long timeoutMs) { return Time.SYSTEM.timer(timeoutMs); }
    }

    static SimpleRecord[] records(int count, long timestamp) {
        SimpleRecord[] records = new SimpleRecord[count];
        for (int i = 0; i < count; i++)
            records[i] = new SimpleRecord(timestamp + i, ("k" + i).getBytes(), "v".repeat(40).getBytes());
        return records;
    }

    static void append(UnifiedLog log, MemoryRecords records, int epoch, AppendOrigin origin) throws Exception {
        log.appendAsLeader(records, epoch, origin, RequestLocal.noCaching(), VerificationGuard.SENTINEL, (short) 0);
    }

    static void life(File directory) throws Exception {
        Map<String, Object> settings = new HashMap<>();
        settings.put("internal.segment.bytes", 1500);
        settings.put("index.interval.bytes", 200);
        settings.put("segment.index.bytes", 4096);
        KafkaScheduler scheduler = new KafkaScheduler(1);
        scheduler.startup();
        UnifiedLog log = UnifiedLog.create(directory, new LogConfig(settings), 0, 0, scheduler, new BrokerTopicStats(), new SetTime(),
            15 * 60 * 1000, new ProducerStateManagerConfig(86400000, false), 600000, new LogDirFailureChannel(1), true,
            Optional.of(Uuid.fromString("vgbAAAAAQACAAAAAAAAAAA")));
        log.assignEpochStartOffset(0, 0);
        long[] times = {0, 10, 20, 15, 30, 30, 5, 50, 60, 70, 65, 80};
        for (int i = 0; i < times.length; i++)
            append(log, MemoryRecords.withRecords(Compression.NONE, records(i % 3 + 1, T0 + times[i])), 0, AppendOrigin.CLIENT);
        for (int i = 0; i < 7; i++)
            append(log, MemoryRecords.withIdempotentRecords(Compression.NONE, 1 + i % 2, (short) 0, i / 2 * 2, records(2, T0 + 100 + i)), 0, AppendOrigin.CLIENT);
        log.updateHighWatermark(log.logEndOffset());
        log.assignEpochStartOffset(3, log.logEndOffset());
        append(log, MemoryRecords.withTransactionalRecords(Compression.NONE, 5, (short) 1, 0, records(3, T0 + 200)), 3, AppendOrigin.CLIENT);
        append(log, MemoryRecords.withTransactionalRecords(Compression.NONE, 6, (short) 0, 0, records(1, T0 + 201)), 3, AppendOrigin.CLIENT);
        append(log, MemoryRecords.withEndTransactionMarker(T0 + 210, 5, (short) 1, new EndTransactionMarker(ControlRecordType.ABORT, 4)), 3, AppendOrigin.COORDINATOR);
        append(log, MemoryRecords.withEndTransactionMarker(T0 + 211, 6, (short) 0, new EndTransactionMarker(ControlRecordType.COMMIT, 4)), 3, AppendOrigin.COORDINATOR);
        append(log, MemoryRecords.withTransactionalRecords(Compression.NONE, 5, (short) 1, 3, records(2, T0 + 220)), 3, AppendOrigin.CLIENT);
        log.flush(true);
        log.close();
        scheduler.shutdown();
    }

    static void formats(File directory) throws Exception {
        Files.createDirectories(directory.toPath());
        Path path = new File(directory, "00000000000000000000.log").toPath();
        try (FileChannel file = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
            MemoryRecords[] all = {
                MemoryRecords.withRecords((byte) 0, 0, Compression.NONE, records(3, T0)),
                MemoryRecords.withRecords((byte) 0, 3, Compression.gzip().build(), records(4, T0)),
                MemoryRecords.withRecords((byte) 1, 7, Compression.NONE, records(3, T0 + 1000)),
                MemoryRecords.withRecords((byte) 1, 10, Compression.gzip().build(), TimestampType.CREATE_TIME, records(5, T0 + 2000)),
                MemoryRecords.withRecords((byte) 2, 15, Compression.NONE, records(2, T0 + 3000)),
                MemoryRecords.withRecords((byte) 2, 17, Compression.lz4().build(), records(9, T0 + 4000)),
            };
            for (MemoryRecords records : all) {
                ByteBuffer buffer = records.buffer().duplicate();
                while (buffer.hasRemaining()) file.write(buffer);
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        life(new File(arguments[0], "golden-0"));
        formats(new File(arguments[0], "formats-0"));
    }
}
