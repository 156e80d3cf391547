package history

import (
	"iter"

	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/proto"
)

// Parts is the first event, counted from 1, at which two histories say something else; 0
// if they say the same. What a build's API doesn't know of either is not compared.
func Parts(a, b Events) (int64, error) {
	next, stop := iter.Pull2(b)
	defer stop()
	var at int64
	for e, err := range a {
		if err != nil {
			return 0, err
		}
		at++
		other, err, ok := next()
		if err != nil {
			return 0, err
		}
		if !ok || !agree(e, other) {
			return at, nil
		}
	}
	if _, err, ok := next(); err != nil {
		return 0, err
	} else if ok {
		return at + 1, nil
	}
	return 0, nil
}

// agree says whether two events are the same as far as this build knows their members.
func agree(a, b *historypb.HistoryEvent) bool {
	return proto.Equal(a, b) || proto.Equal(knownPart(a), knownPart(b))
}

// knownPart is an event without members that this build doesn't know, which JSON can't tell.
func knownPart(e *historypb.HistoryEvent) *historypb.HistoryEvent {
	part := &historypb.HistoryEvent{}
	b, err := proto.Marshal(e)
	if err == nil {
		err = proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(b, part)
	}
	if err != nil {
		return nil
	}
	return part
}
