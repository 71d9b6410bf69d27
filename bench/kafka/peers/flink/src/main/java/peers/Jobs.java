package peers;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.functions.FlatMapFunction;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/**
 * Usage: Jobs BOOTSTRAP INPUT OUTPUT CHECKPOINTS, where INPUT is lines, text or events and CHECKPOINTS a folder. Reads what is
 * there, writes OUTPUT, and ends.
 */
public final class Jobs {
  private Jobs() {}

  public static void main(String[] arguments) throws Exception {
    StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
    environment.setParallelism(1);
    environment.getConfig().enableObjectReuse();
    environment.enableCheckpointing(10_000);
    environment.configure(new Configuration()
        .set(CheckpointingOptions.CHECKPOINT_STORAGE, "filesystem")
        .set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, "file://" + arguments[3]));
    DataStream<String> results =
        arguments[1].equals("events") ? sums(environment, arguments) : counts(environment, arguments);
    results.sinkTo(sink(arguments[0], arguments[2]));
    environment.execute(arguments[1]);
  }

  private static DataStream<String> counts(StreamExecutionEnvironment environment, String[] arguments) {
    DataStream<String> lines =
        environment.fromSource(source(arguments, new Lines()), WatermarkStrategy.noWatermarks(), "source");
    DataStream<String> words = arguments[1].equals("text") ? lines.flatMap(new Split()) : lines;
    return words.keyBy(word -> word).process(new Count());
  }

  private static DataStream<String> sums(StreamExecutionEnvironment environment, String[] arguments) {
    WatermarkStrategy<Event> inOrder =
        WatermarkStrategy.<Event>forMonotonousTimestamps().withTimestampAssigner((event, at) -> event.time);
    return environment
        .fromSource(source(arguments, new Events()), inOrder, "source")
        .keyBy(event -> event.user)
        .window(TumblingEventTimeWindows.of(Duration.ofSeconds(10)))
        .aggregate(new CountAndSum(), new Describe());
  }

  private static <T> KafkaSource<T> source(String[] arguments, AbstractDeserializationSchema<T> schema) {
    return KafkaSource.<T>builder()
        .setBootstrapServers(arguments[0])
        .setTopics(arguments[1])
        .setStartingOffsets(OffsetsInitializer.earliest())
        .setBounded(OffsetsInitializer.latest())
        .setValueOnlyDeserializer(schema)
        .build();
  }

  private static KafkaSink<String> sink(String bootstrap, String topic) {
    return KafkaSink.<String>builder()
        .setBootstrapServers(bootstrap)
        .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE)
        .setRecordSerializer(
            KafkaRecordSerializationSchema.builder()
                .setTopic(topic)
                .setValueSerializationSchema(new SimpleStringSchema())
                .build())
        .build();
  }

  /** A user's amount at a time. */
  public static final class Event {
    public String user;
    public long amount;
    public long time;
  }

  private static final class Lines extends AbstractDeserializationSchema<String> {
    @Override
    public String deserialize(byte[] value) {
      Meter.record();
      return new String(value, java.nio.charset.StandardCharsets.UTF_8);
    }
  }

  private static final class Events extends AbstractDeserializationSchema<Event> {
    private static final JsonFactory JSON = new JsonFactory();

    @Override
    public Event deserialize(byte[] value) throws IOException {
      Meter.record();
      Event event = new Event();
      try (JsonParser parser = JSON.createParser(value)) {
        parser.nextToken();
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
          String name = parser.currentName();
          parser.nextToken();
          switch (name) {
            case "user" -> event.user = parser.getText();
            case "amount" -> event.amount = parser.getLongValue();
            case "time" -> event.time = parser.getLongValue();
            default -> { }
          }
        }
      }
      return event;
    }
  }

  private static final class Split implements FlatMapFunction<String, String> {
    @Override
    public void flatMap(String line, Collector<String> out) {
      int start = 0;
      for (int end = line.indexOf(' '); end >= 0; end = line.indexOf(' ', start)) {
        out.collect(line.substring(start, end));
        start = end + 1;
      }
      out.collect(line.substring(start));
    }
  }

  /** A running count for each word: written a second after it changed, and once more at the end of the input. */
  private static final class Count extends KeyedProcessFunction<String, String, String> {
    private static final long EVERY_MS = 1_000;
    /** The count, and 1 while a timer is set that will write it. */
    private transient ValueState<long[]> state;

    @Override
    public void open(OpenContext context) {
      state = getRuntimeContext().getState(new ValueStateDescriptor<>("count", long[].class));
    }

    @Override
    public void processElement(String word, Context context, Collector<String> out) throws IOException {
      long[] counted = state.value();
      if (counted == null) {
        counted = new long[2];
        context.timerService().registerEventTimeTimer(Long.MAX_VALUE);
      }
      counted[0]++;
      if (counted[1] == 0) {
        counted[1] = 1;
        long now = context.timerService().currentProcessingTime();
        context.timerService().registerProcessingTimeTimer(now - now % EVERY_MS + EVERY_MS);
      }
      state.update(counted);
    }

    @Override
    public void onTimer(long timestamp, OnTimerContext context, Collector<String> out) throws IOException {
      long[] counted = state.value();
      counted[1] = 0;
      state.update(counted);
      out.collect("{\"word\":\"" + context.getCurrentKey() + "\",\"count\":" + counted[0] + "}");
    }
  }

  private static final class CountAndSum implements AggregateFunction<Event, long[], long[]> {
    @Override
    public long[] createAccumulator() {
      return new long[2];
    }

    @Override
    public long[] add(Event event, long[] sums) {
      sums[0]++;
      sums[1] += event.amount;
      return sums;
    }

    @Override
    public long[] getResult(long[] sums) {
      return sums;
    }

    @Override
    public long[] merge(long[] left, long[] right) {
      return new long[] {left[0] + right[0], left[1] + right[1]};
    }
  }

  private static final class Describe extends ProcessWindowFunction<long[], String, String, TimeWindow> {
    @Override
    public void process(String user, Context context, Iterable<long[]> sums, Collector<String> out) {
      long[] one = sums.iterator().next();
      out.collect("{\"user\":\"" + user + "\",\"window\":" + context.window().getStart() + ",\"count\":" + one[0]
          + ",\"sum\":" + one[1] + "}");
    }
  }
}
