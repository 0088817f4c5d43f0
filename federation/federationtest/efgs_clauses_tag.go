package federationtest

import (
	"net/http"
)

var gatewayTags = []gatewayClause{
	{"tag-repeated", "The same upload again, under the same tag, must be answered 409, and its keys be handed out once.", efgsTagRepeated},
	{"tag-other-content", "Another upload under the tag of one that is there must be answered 409, and nothing of it be stored.", efgsTagOtherContent},
	{"tag-is-the-nations-own", "A tag that another nation has used must not be in an upload's way.", efgsTagOwn},
	{"tag-none", "An upload without a tag must be answered 400.", efgsTagNone},
}

func efgsTagRepeated(x *gatewayExam) (gatewayLater, error) {
	u, err := x.store(0, x.keys(0, 3))
	if err != nil {
		return nil, err
	}
	for range 2 {
		if err := x.wantSent("an upload again", u, http.StatusConflict); err != nil {
			return nil, err
		}
	}
	return wantGiven(0, u.keys...), nil
}

func efgsTagOtherContent(x *gatewayExam) (gatewayLater, error) {
	u, err := x.store(0, x.keys(0, 2))
	if err != nil {
		return nil, err
	}
	other, err := x.upload(0, x.keys(0, 2))
	if err != nil {
		return nil, err
	}
	other.tag = u.tag
	return bothLater(wantGiven(0, u.keys...), wantWithheld(other.keys...)), x.wantSent("another upload under a used tag", other, http.StatusConflict)
}

func efgsTagOwn(x *gatewayExam) (gatewayLater, error) {
	mine, err := x.store(0, x.keys(0, 2))
	if err != nil {
		return nil, err
	}
	theirs, err := x.upload(1, x.keys(1, 2))
	if err != nil {
		return nil, err
	}
	theirs.tag = mine.tag
	return bothLater(wantGiven(0, mine.keys...), wantGiven(1, theirs.keys...)), x.wantSent("another nation's upload under a used tag", theirs, http.StatusCreated)
}

func efgsTagNone(x *gatewayExam) (gatewayLater, error) {
	u, err := x.upload(0, x.keys(0, 1))
	if err != nil {
		return nil, err
	}
	u.tag = ""
	return wantWithheld(u.keys...), x.wantSent("an upload without a tag", u, http.StatusBadRequest)
}
