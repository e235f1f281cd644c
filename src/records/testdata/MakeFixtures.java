// Makes batches.txt and validations.txt with Kafka's own classes (org.apache.kafka 4.4.0: kafka-clients, kafka-storage,
// kafka-server-common, kafka-storage-api and what they need: slf4j-api, lz4-java, snappy-java, zstd-jni):
//   java -cp "$JARS" MakeFixtures.java batches > batches.txt
//   java -cp "$JARS" MakeFixtures.java validations 1 240 > validations.txt     (seed, number of cases)
// A line of batches.txt:      name TAB hex
// A line of validations.txt:  options TAB hex of the request's records TAB outcome
//   outcome: ok TAB hex of the batch to append TAB its maximum timestamp
//            error TAB code TAB message TAB per-record errors, "index:message" joined by '|'
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.*;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.utils.*;
import org.apache.kafka.common.utils.internals.*;
import org.apache.kafka.storage.internals.log.*;

public class MakeFixtures {
    static final long NOW = 1700000000000L;
    static final Header[] NO_HEADERS = new Header[0];

    static byte[] utf(String s) { return s == null ? null : s.getBytes(StandardCharsets.UTF_8); }

    static Compression codec(int id) {
        switch (id) {
            case 1: return Compression.gzip().build();
            case 2: return Compression.snappy().build();
            case 3: return Compression.lz4().build();
            case 4: return Compression.zstd().build();
            default: return Compression.NONE;
        }
    }

    static void print(String name, MemoryRecords records) {
        System.out.println(name + "\t" + HexFormat.of().formatHex(bytes(records)));
    }

    static byte[] bytes(MemoryRecords records) {
        ByteBuffer buffer = records.buffer().duplicate();
        byte[] raw = new byte[buffer.remaining()];
        buffer.get(raw);
        return raw;
    }

    static SimpleRecord[] sample(boolean headers) {
        Header[] some = {new RecordHeader("trace", utf("abc")), new RecordHeader("empty", new byte[0]),
                         new RecordHeader("null", null), new RecordHeader("", utf("no key"))};
        return new SimpleRecord[] {
            new SimpleRecord(NOW, utf("k0"), utf("value zero")),
            new SimpleRecord(NOW + 5, null, utf("no key")),
            new SimpleRecord(NOW - 300, utf("no value"), null),
            new SimpleRecord(NOW + 70000, utf(""), utf(""), headers ? some : NO_HEADERS),
            new SimpleRecord(NOW + 1, (byte[]) null, null),
        };
    }

    static SimpleRecord[] many() {
        SimpleRecord[] records = new SimpleRecord[300];
        for (int i = 0; i < records.length; i++) {
            StringBuilder value = new StringBuilder();
            for (int j = 0; j < 40; j++) value.append("record ").append(i % 7).append(" part ").append(j % 5).append(';');
            records[i] = new SimpleRecord(NOW + i, utf("key" + i), utf(value.toString()));
        }
        return records;
    }

    static MemoryRecordsBuilder builder(byte magic, Compression c, TimestampType type, long base) {
        return new MemoryRecordsBuilder(new ByteBufferOutputStream(1 << 16), magic, c, type, base, NOW + 123,
            RecordBatch.NO_PRODUCER_ID, RecordBatch.NO_PRODUCER_EPOCH, RecordBatch.NO_SEQUENCE, false, false,
            RecordBatch.NO_PARTITION_LEADER_EPOCH, 1 << 16);
    }

    static MemoryRecords build(byte magic, int codec, TimestampType type, long base, SimpleRecord... records) {
        MemoryRecordsBuilder b = builder(magic, codec(codec), type, base);
        for (SimpleRecord r : records) b.append(r);
        return b.build();
    }

    static void batches() {
        String[] names = {"none", "gzip", "snappy", "lz4", "zstd"};
        for (int c = 0; c < 5; c++) {
            print("v2-" + names[c], build((byte) 2, c, TimestampType.CREATE_TIME, 42, sample(true)));
            if (c > 0) print("v2-many-" + names[c], build((byte) 2, c, TimestampType.CREATE_TIME, 0, many()));
        }
        print("v2-log-append-time", build((byte) 2, 0, TimestampType.LOG_APPEND_TIME, 7, sample(true)));
        print("v2-idempotent", MemoryRecords.withIdempotentRecords(9, Compression.NONE, 4711, (short) 3, 2147483646, 12, sample(false)));
        print("v2-transactional", MemoryRecords.withTransactionalRecords(9, Compression.NONE, 4711, (short) 3, 17, 12, sample(false)));
        MemoryRecordsBuilder horizon = new MemoryRecordsBuilder(new ByteBufferOutputStream(4096), (byte) 2, Compression.NONE,
            TimestampType.CREATE_TIME, 100, NOW, -1, (short) -1, -1, false, false, 5, 4096, NOW + 1000);
        horizon.appendWithOffset(103, new SimpleRecord(NOW, utf("k"), null));
        horizon.appendWithOffset(110, new SimpleRecord(NOW + 2, utf("l"), utf("v")));
        print("v2-delete-horizon", horizon.build());
        ByteBuffer empty = ByteBuffer.allocate(61);
        DefaultRecordBatch.writeEmptyHeader(empty, (byte) 2, 99, (short) 1, 5, 20, 29, 4, TimestampType.CREATE_TIME, NOW, false, false);
        empty.flip();
        print("v2-empty", MemoryRecords.readableRecords(empty));
        print("control-commit", MemoryRecords.withEndTransactionMarker(50, NOW, 6, 4711, (short) 3, new EndTransactionMarker(ControlRecordType.COMMIT, 21)));
        print("control-abort", MemoryRecords.withEndTransactionMarker(51, NOW, 6, 4711, (short) 3, new EndTransactionMarker(ControlRecordType.ABORT, 22)));
        print("control-leader-change", MemoryRecords.withLeaderChangeMessage(1, NOW, 2, ByteBuffer.allocate(256),
            new LeaderChangeMessage().setLeaderId(1)
                .setVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(1)))
                .setGrantingVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(1)))));
        print("control-snapshot-header", MemoryRecords.withSnapshotHeaderRecord(0, NOW, 1, ByteBuffer.allocate(256),
            new SnapshotHeaderRecord().setLastContainedLogTimestamp(NOW)));
        print("control-snapshot-footer", MemoryRecords.withSnapshotFooterRecord(0, NOW, 1, ByteBuffer.allocate(256),
            new SnapshotFooterRecord()));
        print("control-kraft-version", MemoryRecords.withKRaftVersionRecord(0, NOW, 1, ByteBuffer.allocate(256),
            new KRaftVersionRecord().setKRaftVersion((short) 1)));
        for (int c = 0; c < 4; c++) {
            print("v0-" + names[c], build((byte) 0, c, TimestampType.NO_TIMESTAMP_TYPE, 30, sample(false)));
            print("v1-" + names[c], build((byte) 1, c, TimestampType.CREATE_TIME, 30, sample(false)));
            print("v1-log-append-time-" + names[c], build((byte) 1, c, TimestampType.LOG_APPEND_TIME, 30, sample(false)));
        }
    }

    // ---- what Kafka's leader says

    static class Options {
        TimestampType type = TimestampType.CREATE_TIME;
        long before = Long.MAX_VALUE, after = 3600000L;
        boolean compacted;
        int target = -1, max = 1048588;
        short version = 11;
        AppendOrigin origin = AppendOrigin.CLIENT;

        public String toString() {
            return "type=" + type + ",before=" + before + ",after=" + after + ",compacted=" + compacted + ",target=" + target
                + ",max=" + max + ",version=" + version + ",origin=" + origin;
        }
    }

    static final TopicPartition TP = new TopicPartition("orders", 3);
    static final LogValidator.MetricsRecorder METRICS = new LogValidator.MetricsRecorder() {
        public void recordInvalidMagic() {}
        public void recordInvalidOffset() {}
        public void recordInvalidSequence() {}
        public void recordInvalidChecksums() {}
        public void recordNoKeyCompactedTopic() {}
    };
    static final Time TIME = (Time) java.lang.reflect.Proxy.newProxyInstance(MakeFixtures.class.getClassLoader(),
        new Class<?>[] {Time.class}, (proxy, method, args) -> NOW);

    static String outcome(byte[] input, Options o) {
        try {
            MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(input.clone()));
            ProduceRequest.validateRecords(o.version, records);
            CompressionType source = CompressionType.NONE;
            int valid = 0;
            for (MutableRecordBatch batch : records.batches()) {
                if (o.origin == AppendOrigin.CLIENT && batch.baseOffset() != 0)
                    throw new InvalidRecordException("The baseOffset of the record batch in the append to " + TP + " should " +
                        "be 0, but it is " + batch.baseOffset());
                if (batch.sizeInBytes() > o.max)
                    throw new RecordTooLargeException("The record batch size in the append to " + TP + " is " + batch.sizeInBytes()
                        + " bytes which exceeds the maximum configured value of " + o.max + ").");
                if (!batch.isValid())
                    throw new CorruptRecordException("Record is corrupt (stored crc = " + batch.checksum() + ") in topic partition " + TP + ".");
                valid += batch.sizeInBytes();
                if (batch.compressionType() != CompressionType.NONE) source = batch.compressionType();
            }
            ByteBuffer trimmed = records.buffer().duplicate();
            trimmed.limit(valid);
            LogValidator validator = new LogValidator(MemoryRecords.readableRecords(trimmed), TP, TIME, source,
                o.target < 0 ? Compression.of(source).build() : codec(o.target), o.compacted, (byte) 2, o.type, o.before, o.after,
                7, o.origin);
            LogValidator.ValidationResult result = validator.validateMessagesAndAssignOffsets(
                PrimitiveRef.ofLong(1000), METRICS, BufferSupplier.NO_CACHING);
            for (MutableRecordBatch batch : result.validatedRecords().batches())
                if (result.messageSizeMaybeChanged() && batch.sizeInBytes() > o.max)
                    throw new RecordTooLargeException("Message batch size is " + batch.sizeInBytes() + " bytes in append to " +
                        "partition " + TP + " which exceeds the maximum configured size of " + o.max + ".");
            return "ok\t" + HexFormat.of().formatHex(bytes(result.validatedRecords())) + "\t" + result.maxTimestampMs();
        } catch (RecordValidationException e) {
            StringBuilder errors = new StringBuilder();
            e.recordErrors().forEach(r -> errors.append(errors.length() == 0 ? "" : "|").append(r.batchIndex).append(':').append(r.message));
            return "error\t" + Errors.forException(e.invalidException()) + "\t" + e.invalidException().getMessage() + "\t" + errors;
        } catch (ApiException e) {
            return "error\t" + Errors.forException(e) + "\t" + e.getMessage() + "\t";
        } catch (Throwable t) {
            return "error\tUNKNOWN_SERVER_ERROR\t" + String.valueOf(t.getMessage()).replaceAll("\\s", " ") + "\t";
        }
    }

    static void fixCrc(byte[] batch) {
        if (batch.length < 61) return;
        ByteBuffer b = ByteBuffer.wrap(batch);
        int size = b.getInt(8) + 12;
        if (size > batch.length || size < 61) size = batch.length;
        java.util.zip.CRC32C crc = new java.util.zip.CRC32C();
        crc.update(batch, 21, size - 21);
        b.putInt(17, (int) crc.getValue());
    }

    static long pick(Random random, long... values) { return values[random.nextInt(values.length)]; }

    static byte[] randomBatch(Random random) {
        int n = 1 + random.nextInt(4);
        boolean pid = random.nextInt(3) == 0;
        MemoryRecordsBuilder b = new MemoryRecordsBuilder(new ByteBufferOutputStream(1024), (byte) 2, codec(random.nextInt(5)),
            TimestampType.CREATE_TIME, 0, NOW, pid ? 5 : -1, (short) (pid ? 2 : -1), pid ? 77 : -1, pid && random.nextBoolean(),
            false, -1, 1024);
        for (int i = 0; i < n; i++) {
            long time = pick(random, NOW, NOW, NOW + i, NOW - 1000, NOW - 90000000L, NOW + 3600000L, NOW + 3600001L, 0);
            Header[] headers = random.nextInt(3) == 0 ? new Header[] {new RecordHeader("h", utf("x"))} : NO_HEADERS;
            b.appendWithOffset(i, time, random.nextInt(5) == 0 ? null : utf("key" + i), random.nextInt(5) == 0 ? null : utf("value" + i), headers);
        }
        return bytes(b.build());
    }

    static byte[] mutate(byte[] raw, Random random) {
        ByteBuffer b = ByteBuffer.wrap(raw);
        switch (random.nextInt(16)) {
            case 0: b.putLong(0, pick(random, 1, -1, 100, Long.MAX_VALUE)); return raw;
            case 1: b.putInt(8, b.getInt(8) + (int) pick(random, -1, 1, -20, 7, -40)); if (random.nextBoolean()) fixCrc(raw); return raw;
            case 2: raw[16] = (byte) pick(random, 0, 1, 3, -1); return raw;
            case 3: raw[17] ^= 1; return raw;
            case 4: b.putShort(21, (short) pick(random, 0, 1, 2, 3, 4, 5, 6, 7, 0x08, 0x10, 0x20, 0x40, 0x80, 0x0f, 0x7fff)); break;
            case 5: b.putShort(21, (short) (b.getShort(21) ^ (int) pick(random, 0x08, 0x10, 0x20, 0x40, 0x100))); break;
            case 6: b.putInt(23, (int) pick(random, -1, 0, 1, 2, 3, 9, Integer.MAX_VALUE, Integer.MIN_VALUE)); break;
            case 7: b.putLong(27, pick(random, NOW, NOW - 5, -1, -7, Long.MIN_VALUE, Long.MAX_VALUE, 0)); break;
            case 8: b.putLong(35, pick(random, NOW, NOW - 5, -1, -7, Long.MIN_VALUE, Long.MAX_VALUE, NOW + 4000000L)); break;
            case 9: b.putLong(43, pick(random, -1, 0, 5, -9)); break;
            case 10: b.putInt(53, (int) pick(random, -1, -2, 0, Integer.MAX_VALUE)); break;
            case 11: b.putInt(57, (int) pick(random, -1, 0, 1, 2, 3, 5, Integer.MAX_VALUE)); break;
            case 12: { int i = 61 + random.nextInt(raw.length - 61); raw[i] = (byte) random.nextInt(256); break; }
            case 13: { int i = 61 + random.nextInt(raw.length - 61); raw[i] ^= (byte) (1 << random.nextInt(8)); break; }
            case 14: { byte[] cut = Arrays.copyOf(raw, random.nextInt(raw.length)); return cut; }
            default: {
                byte[] more = Arrays.copyOf(raw, raw.length + (int) pick(random, 1, 5, 11, 12, 17, 30));
                if (random.nextInt(3) == 0) { more = Arrays.copyOf(raw, raw.length * 2); System.arraycopy(raw, 0, more, raw.length, raw.length); }
                return more;
            }
        }
        fixCrc(raw);
        return raw;
    }

    static void validations(long seed, int cases) {
        Random random = new Random(seed);
        for (int i = 0; i < cases; i++) {
            Options o = new Options();
            if (random.nextInt(4) == 0) o.type = TimestampType.LOG_APPEND_TIME;
            if (random.nextInt(3) == 0) o.before = pick(random, 86400000L, 1000, 0, NOW + 5);
            if (random.nextInt(4) == 0) o.after = pick(random, Long.MAX_VALUE, 0, 1000);
            o.compacted = random.nextInt(4) == 0;
            if (random.nextInt(3) == 0) o.target = random.nextInt(5);
            if (random.nextInt(12) == 0) o.max = (int) pick(random, 100, 130, 150);
            if (random.nextInt(8) == 0) o.version = (short) pick(random, 3, 6, 13);
            if (random.nextInt(12) == 0) o.origin = AppendOrigin.COORDINATOR;
            byte[] raw = randomBatch(random);
            if (random.nextInt(4) != 0) raw = mutate(raw, random);
            if (random.nextInt(10) == 0 && raw.length >= 61) raw = mutate(raw, random);
            System.out.println(o + "\t" + HexFormat.of().formatHex(raw) + "\t" + outcome(raw, o));
        }
    }

    public static void main(String[] args) {
        if (args[0].equals("batches")) batches();
        else validations(Long.parseLong(args[1]), Integer.parseInt(args[2]));
    }
}
