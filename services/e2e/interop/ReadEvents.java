import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorSet;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.DynamicMessage;
import io.cloudevents.CloudEvent;
import io.cloudevents.SpecVersion;
import io.cloudevents.core.data.BytesCloudEventData;
import io.cloudevents.core.message.impl.BaseGenericBinaryMessageReaderImpl;
import io.nats.client.Connection;
import io.nats.client.JetStreamSubscription;
import io.nats.client.Message;
import io.nats.client.Nats;
import io.nats.client.PullSubscribeOptions;
import io.nats.client.impl.Headers;
import java.math.BigInteger;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.BiConsumer;

/**
 * Reads messages of a stream as CloudEvents, by the NATS protocol binding.
 *
 * <p>Usage: ReadEvents NATS_URL STREAM CONSUMER COUNT DESCRIPTORS. What it prints is what
 * read_events.py prints.
 */
public final class ReadEvents {
  /** A message in binary content mode, as the library reads one. */
  private static final class BinaryMessage extends BaseGenericBinaryMessageReaderImpl<String, String> {
    private final Headers headers;

    BinaryMessage(Message m) {
      super(SpecVersion.parse(m.getHeaders().getFirst("ce-specversion")), BytesCloudEventData.wrap(m.getData()));
      headers = m.getHeaders();
      String contentType = headers.getFirst("content-type");
      if (contentType != null && contentType.startsWith("application/cloudevents")) {
        throw new IllegalArgumentException("the message is in structured content mode");
      }
    }

    @Override
    protected boolean isContentTypeHeader(String name) {
      return false; // the attribute has a header like any other
    }

    @Override
    protected boolean isCloudEventsHeader(String name) {
      return name.toLowerCase(Locale.ROOT).startsWith("ce-");
    }

    @Override
    protected String toCloudEventsKey(String name) {
      return name.substring("ce-".length()).toLowerCase(Locale.ROOT);
    }

    @Override
    protected String toCloudEventsValue(String value) {
      return URLDecoder.decode(value.replace("+", "%2B"), StandardCharsets.UTF_8);
    }

    @Override
    protected void forEachHeader(BiConsumer<String, String> each) {
      headers.forEach((name, values) -> each.accept(name, values.get(0)));
    }
  }

  private static Map<String, Descriptor> messages(String path) throws Exception {
    Map<String, FileDescriptor> files = new HashMap<>();
    Map<String, Descriptor> messages = new HashMap<>();
    for (FileDescriptorProto file : FileDescriptorSet.parseFrom(Files.readAllBytes(Path.of(path))).getFileList()) {
      List<FileDescriptor> imports = new ArrayList<>();
      file.getDependencyList().forEach(name -> imports.add(files.get(name)));
      FileDescriptor built = FileDescriptor.buildFrom(file, imports.toArray(new FileDescriptor[0]));
      files.put(file.getName(), built);
      built.getMessageTypes().forEach(m -> messages.put(m.getFullName(), m));
    }
    return messages;
  }

  private static String line(CloudEvent event, Descriptor type) throws Exception {
    List<String> fields = new ArrayList<>();
    TreeSet<String> names = new TreeSet<>(event.getAttributeNames());
    names.addAll(event.getExtensionNames());
    for (String name : names) {
      Object value = event.getExtensionNames().contains(name) ? event.getExtension(name) : event.getAttribute(name);
      if (value instanceof OffsetDateTime) {
        value = ChronoUnit.MICROS.between(Instant.EPOCH, ((OffsetDateTime) value).toInstant());
      }
      fields.add(name + "=" + value);
    }
    byte[] data = event.getData().toBytes();
    byte[] sum = MessageDigest.getInstance("SHA-256").digest(data);
    fields.add(String.format("sha256=%064x", new BigInteger(1, sum)));
    DynamicMessage body = DynamicMessage.parseFrom(type, data);
    for (String name : List.of("programme", "sequence")) {
      fields.add("body." + name + "=" + body.getField(type.findFieldByName(name)));
    }
    return String.join("\t", fields);
  }

  public static void main(String[] args) throws Exception {
    Map<String, Descriptor> messages = messages(args[4]);
    try (Connection connection = Nats.connect(args[0])) {
      JetStreamSubscription subscription =
          connection.jetStream().subscribe(null, PullSubscribeOptions.bind(args[1], args[2]));
      for (int left = Integer.parseInt(args[3]); left > 0; ) {
        List<Message> batch = subscription.fetch(left, Duration.ofSeconds(10));
        if (batch.isEmpty()) {
          throw new IllegalStateException(left + " messages did not come");
        }
        for (Message m : batch) {
          CloudEvent event = new BinaryMessage(m).toEvent();
          System.out.println(line(event, messages.get(event.getDataSchema().getFragment())));
          m.ack();
          left--;
        }
      }
    }
  }
}
