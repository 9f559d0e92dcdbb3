package client_test

import (
	"context"
	"fmt"
	"log"
	"net"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	"github.com/cotmoc/cotmoc/pkg/client"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

func ExampleClient_Submit() {
	address, stop := serveReporting() // a reporting service
	defer stop()
	ctx := context.Background()
	c, err := client.Dial(ctx, address, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	july := &reportingv1.Submission{
		Unit: "26734", Target: "chip-cards", Period: "2022-M07",
		Value: &reportingv1.Submission_Count{Count: 5120},
	}
	receipt, err := c.Submit(ctx, "de-an-06", july)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("durable as event", receipt.GetSequence())

	july.Target = "no-such-target"
	_, err = c.Submit(ctx, "de-an-06", july)
	if e, ok := apierr.Parse(err); ok {
		fmt.Println(e.Code, e.Field, e.Message)
	}
	// Output:
	// durable as event 812
	// NotFound submission.target there is no target no-such-target
}

// reporting knows one target.
type reporting struct {
	reportingv1.UnimplementedReportingServiceServer
}

func (reporting) Submit(_ context.Context, r *reportingv1.SubmitRequest) (*reportingv1.SubmitResponse, error) {
	if target := r.GetSubmission().GetTarget(); target != "chip-cards" {
		return nil, apierr.New(codes.NotFound, errorv1.Reason_REASON_TARGET_NOT_FOUND, "submission.target", "there is no target "+target)
	}
	return &reportingv1.SubmitResponse{Receipt: &reportingv1.Receipt{Sequence: 812}}, nil
}

// serveReporting serves it on a port of loopback.
func serveReporting() (address string, stop func()) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	s := grpc.NewServer()
	reportingv1.RegisterReportingServiceServer(s, reporting{})
	go func() { _ = s.Serve(l) }()
	return l.Addr().String(), s.Stop
}
