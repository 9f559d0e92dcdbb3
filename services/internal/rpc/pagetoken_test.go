package rpc

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

func TestPageTokenIsBoundToItsRequest(t *testing.T) {
	req := &registryv1.ListUnitsRequest{ParentUnit: "79", PageSize: 10}
	token := EncodePageToken(req, "units/26734")
	next := &registryv1.ListUnitsRequest{ParentUnit: "79", PageSize: 500, PageToken: token}
	if key, err := DecodePageToken(next, token); err != nil || key != "units/26734" {
		t.Errorf("another page size: %q, %v", key, err)
	}
	if key, err := DecodePageToken(req, ""); err != nil || key != "" {
		t.Errorf("no token: %q, %v", key, err)
	}
	raw, _ := base64.RawURLEncoding.DecodeString(token)
	raw[len(raw)-1] ^= 1
	for name, c := range map[string]struct {
		req   proto.Message
		token string
	}{
		"other filter":    {&registryv1.ListUnitsRequest{ParentUnit: "01"}, token},
		"other request":   {&registryv1.ListProgrammesRequest{}, EncodePageToken(&registryv1.ListUnitsRequest{}, "x")},
		"changed key":     {req, base64.RawURLEncoding.EncodeToString(raw)},
		"not base64":      {req, token + "!"},
		"padded":          {req, token + "="},
		"cut":             {req, token[:len(token)-4]},
		"too short":       {req, "AAAA"},
		"with line break": {req, token[:4] + "\n" + token[4:]},
	} {
		_, err := DecodePageToken(c.req, c.token)
		e, _ := apierr.Parse(err)
		if e.Code != codes.InvalidArgument || e.Reason != errorv1.Reason_REASON_INVALID_PAGE_TOKEN || e.Field != "page_token" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if req.PageSize != 10 {
		t.Error("the request was changed")
	}
}

func FuzzPageToken(f *testing.F) {
	req := &registryv1.ListUnitsRequest{ParentUnit: "79"}
	f.Add(EncodePageToken(req, "26734"), "26734", "79")
	f.Add("", "", "")
	f.Fuzz(func(t *testing.T, token, key, parent string) {
		got, err := DecodePageToken(req, token)
		if err == nil && token != "" && EncodePageToken(req, got) != token {
			t.Errorf("token %q was taken for %q", token, got)
		}
		r := &registryv1.ListUnitsRequest{ParentUnit: strings.ToValidUTF8(parent, "")}
		made := EncodePageToken(r, key)
		if got, err := DecodePageToken(r, made); err != nil || got != key {
			t.Errorf("key %q came back as %q, %v", key, got, err)
		}
		if r.ParentUnit != req.ParentUnit {
			if got, err := DecodePageToken(req, made); err == nil {
				t.Errorf("a token for %q was taken for 79: %q", parent, got)
			}
		}
	})
}
